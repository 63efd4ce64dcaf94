"""What a kernel keeps of cargo's answers, and what rust-analyzer reads: as good as the real ones, and never those of something else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import library
import prepare
import pytest
import workspace
from cells import DEP, live_folders, well
from session import Kernel

OTHER = {"Cargo.toml": '[package]\nname = "other"\nversion = "0.1.0"\nedition = "2024"\n', "src/lib.rs": "pub fn seven() -> u64 { 7 }\n"}


def test_f80_a_cell_is_compiled_by_the_kept_call_until_that_hangs_on_something_else(folder: Path) -> None:
    """A word put into the kept calls is found in what compiles the next cell, and not where a dependency has changed."""
    other = folder.parent / "other"
    (other / "src").mkdir(parents=True)
    for name, text in OTHER.items():
        (other / name).write_text(text)
    before = live_folders()
    with Kernel(folder) as kernel:
        assert well(kernel, 'println!("{}", 40 + 2);') == "42\n"
        (own,) = live_folders() - before
        assert (own / "rest").exists(), "cargo was called"
        spoil(own)
        result = kernel.run('println!("{}", 40 + 3);')
        assert "no-such-option" in (result.problem() or ""), result
        assert well(kernel, f':dep other = {{ path = "{other}" }}\nprintln!("{{}}", other::seven());') == "7\n"
        assert not (own / "rest").exists(), "cargo was not called"
        # An error is told as by cargo, and another library than the one that the call was made for is seen.
        assert "cannot find value `nothing`" in (kernel.run("nothing + 1").problem() or "")
        for library_file in spoil(own):
            if "other" in library_file:
                os.utime(library_file, (0, 0))
        assert well(kernel, 'println!("{}", other::seven() + 1);') == "8\n"


def test_a_set_up_from_nothing_makes_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the cache nor Jupyter's folder of kernels is there before; what launch.py goes by is there after."""
    monkeypatch.setattr(workspace, "CACHE", tmp_path / "no" / "cache")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "new"))
    monkeypatch.setattr(library, "CRATES", ("proc_macro",))
    prepare.write_kernelspec(Path(sys.executable), tmp_path / "prepared")
    tools = tmp_path / "new" / "share" / "jupyter" / "kernels" / "petal" / "rust"
    assert (tools / "library" / "proc_macro" / "src" / "lib.rs").is_file()
    for program in ("bin/cargo", "bin/rustc", "cargo", "rustc", "metadata"):
        assert os.access(tools / program, os.X_OK), program
    assert list((tools / "libraries").glob("libstd-*"))


def test_petal_is_compiled_for_no_kernel_anew(folder: Path) -> None:
    """Nothing of the prepared build is changed or copied by cells of the notebook; cargo has nothing to do."""
    before = live_folders()
    with Kernel(folder) as kernel:
        well(kernel, DEP)
        well(kernel, "use petal::prelude::*;")
        well(kernel, "let project: Option<Project> = None;")
        (own,) = live_folders() - before
        assert (own / "rest").exists(), "cargo was called"
        prepared = {path.stat().st_ino for kept in workspace.KEPT for path in (workspace.prepared() / kept).iterdir()}
        anew = [path for kept in workspace.KEPT for path in (own / kept).iterdir() if path.stat().st_ino not in prepared]
        assert not anew, "these were asked or made again"


def test_f80_a_kernel_writes_nothing_into_the_prepared_build(folder: Path) -> None:
    """Whatever a kernel compiles, the prepared folder is as it was."""
    prepared = workspace.prepared()
    seen = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in prepared.rglob("*") if path.is_file()}
    with Kernel(folder) as kernel:
        well(kernel, ':dep itoa = "1"\nprintln!("{}", itoa::Buffer::new().format(7));')
        well(kernel, DEP + "\nuse petal::prelude::*;")
        well(kernel, "let project: Option<Project> = None;")
    assert seen == {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in prepared.rglob("*") if path.is_file()}


SOURCE = r"""
/// Doc of `a` { }
pub unsafe fn a<const N: usize>(x: [u8; { N }]) -> Option<&'static str> where u8: Copy { if x[0] == b'{' { Some("}\"") } else { None } }
pub const unsafe fn length() -> usize { { 4 } }
macro_rules! make { ($name:ident) => { fn $name() -> u8 { r#"{"#.len() as u8 } fn other(); } }
/* fn hidden() { /* { */ } */ trait T { fn given(&self) -> u8 { '{' as u8 } fn wanted(&self) -> u8; }
static FN: fn(u8) -> u8 = |x| { x };
extern "C" { fn outside(x: *const u8) -> u8; }
struct S { f: fn(&str) -> bool, }
"""
INTERFACE = r"""
/// Doc of `a` { }
pub unsafe fn a<const N: usize>(x: [u8; { N }]) -> Option<&'static str> where u8: Copy {}
pub const unsafe fn length() -> usize { { 4 } }
macro_rules! make { ($name:ident) => { fn $name() -> u8 {} fn other(); } }
/* fn hidden() { /* { */ } */ trait T { fn given(&self) -> u8 {} fn wanted(&self) -> u8; }
static FN: fn(u8) -> u8 = |x| { x };
extern "C" { fn outside(x: *const u8) -> u8; }
struct S { f: fn(&str) -> bool, }
"""


def test_an_interface_is_the_source_without_bodies() -> None:
    """Signatures, constants and their functions, macros and documentation stay as they are."""
    assert library.interface(SOURCE) == INTERFACE


def test_of_the_standard_library_only_bodies_are_left_out() -> None:
    """As many functions, types, macros and lines of documentation as in the real one; every bracket closed."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    source = Path(sysroot) / "lib" / "rustlib" / "src" / "rust" / "library"
    if not source.is_dir():
        pytest.skip("the source of Rust's standard library is not there")
    shorter = 0
    for file in ("core/src/num/mod.rs", "core/src/num/int_macros.rs", "core/src/iter/traits/iterator.rs", "alloc/src/vec/mod.rs", "std/src/fs.rs"):
        text = (source / file).read_text(encoding="utf-8")
        made = library.interface(text)
        shorter += len(text) - len(made)
        for pattern in (r"^ *///", r"^(?:pub )?(?:unsafe )?(?:struct|enum|trait|macro_rules!|macro|impl)\b", r"^ *pub (?:const )?(?:unsafe )?fn "):
            there, here = (len(re.findall(pattern, code, re.MULTILINE)) for code in (text, made))
            # What stands in a function's body is of no use, either.
            assert there - here <= there / 500, (file, pattern)
        tokens = library.tokens_of(made)
        assert all(tokens.count(opened) == tokens.count(closed) for opened, closed in ("()", "[]", "{}")), file
    assert shorter > 50_000, shorter


def test_types_of_the_standard_library_are_told(folder: Path) -> None:
    """Of lengths that are computed, of closures' and iterators' results, of what a trait gives."""
    cell = """
let bytes = 1u32.to_le_bytes();
let zeros = [0u8; std::mem::size_of::<u64>()];
let counted = ["a", "b", "a"].iter().fold(std::collections::BTreeMap::new(), |mut all, word| { *all.entry(*word).or_insert(0u8) += 1; all });
let upper = "abc".chars().rev().map(|letter| letter.to_ascii_uppercase()).collect::<String>();
let made = std::array::from_fn::<usize, 4, _>(|i| i * i);
let (sender, receiver) = std::sync::mpsc::channel::<u8>();
let shared = std::sync::Arc::new(std::sync::Mutex::new(0u64));
let error = std::io::Error::from_raw_os_error(2);
let code = error.raw_os_error();
let took = std::time::Duration::from_millis(1500).as_secs_f64();
"""
    with Kernel(folder) as kernel:
        well(kernel, cell)
        shown = well(kernel, 'println!("{bytes:?} {} {counted:?} {upper} {made:?} {code:?} {took}", zeros.len());')
    assert shown == '[1, 0, 0, 0] 8 {"a": 2, "b": 1} CBA [0, 1, 4, 9] Some(2) 1.5\n'


def spoil(folder: Path) -> set:
    """Puts a word that rustc does not know into the kernel's kept calls; the libraries that they name."""
    libraries = set()
    for file in (folder / "calls").iterdir():
        call = json.loads(file.read_text().replace("<the kernel's folder>", str(folder)))
        libraries |= set(call["libraries"])
        call["command"] = [word for word in call["command"] if word != "--no-such-option"] + ["--no-such-option"]
        file.unlink()  # it may be the prepared build's, too
        file.write_text(json.dumps(call))
    return libraries
