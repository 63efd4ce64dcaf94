"""The folder that a kernel compiles its cells in: a cargo workspace.

    folder/
        Cargo.toml          the build profile, which goes before the one that evcxr writes for its crate
        Cargo.lock          cargo's
        repository.lock     the repository's Cargo.lock
        rest                how to get from the prepared folder what only cargo reads
        answers/, calls/    what cargo has said, and how it has called rustc
        flush/              a library of the kernel's
        cell/               evcxr's own folder (EVCXR_TMPDIR): the cell at hand as a crate, and target/

evcxr first builds a cell without dependencies, for which cargo strikes every package from Cargo.lock. Then it would choose versions
anew; so the kernels' `cargo` (tools/mod.rs) puts repository.lock in its place again.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("PETAL_CACHE") or Path.home() / ".cache" / "petal").resolve()
KERNELS = CACHE / "kernels"

# Dependencies at full speed; a cell itself is short, and compiles fastest without. No overflow checks, as in the command.
MANIFEST = """\
[workspace]
members = ["cell"]
resolver = "3"

[profile.dev]
opt-level = 0
debug = false
strip = "debuginfo"
rpath = true
debug-assertions = false
overflow-checks = false
incremental = false

[profile.dev.package."*"]
opt-level = 3

"""
# How notebooks depend on petal, by the folder `kernel` beside them.
DEPENDENCY = ':dep petal = { package = "petal_notebook", path = "kernel" }'
# Files that programs only ever replace as a whole, and folders of such files, which the prepared build hands on.
REPLACED = (".rlib", ".rmeta", ".so", ".dylib")
KEPT = ("answers", "calls", "flush")
# Until evcxr writes its own.
CELL = '[package]\nname = "ctx"\nversion = "1.0.0"\nedition = "2024"\n'


def manifest() -> str:
    """The workspace's manifest, with what the repository's compiles in less time."""
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    return MANIFEST + text.partition("# begin cold\n")[2].partition("# end cold\n")[0]


def write(folder: Path) -> None:
    """Writes what such a folder begins with; leaves a build in it as it is."""
    shutil.rmtree(folder / "cell" / ".cargo", ignore_errors=True)  # evcxr's, of a kernel before
    (folder / "cell" / "src").mkdir(parents=True, exist_ok=True)
    (folder / "Cargo.toml").write_text(manifest(), encoding="utf-8")
    (folder / "cell" / "Cargo.toml").write_text(CELL, encoding="utf-8")
    (folder / "cell" / "src" / "lib.rs").write_text("", encoding="utf-8")
    for name in ("Cargo.lock", "repository.lock"):
        shutil.copyfile(ROOT / "Cargo.lock", folder / name)


def evcxr_version() -> str:
    """The version of evcxr that the kernel is built on."""
    text = (ROOT / "scripts" / "petal-kernel" / "Cargo.toml").read_text(encoding="utf-8")
    return re.search(r'^evcxr = "=(.+)"$', text, re.MULTILINE).group(1)


def prepared() -> Path:
    """Where the build is that kernels start from: one for each compiler and set of locked versions."""
    digest = hashlib.sha256()
    digest.update(subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)
    for text in (evcxr_version(), manifest(), (ROOT / "Cargo.lock").read_text(encoding="utf-8")):
        digest.update(text.encode())
    return CACHE / f"notebook-{digest.hexdigest()[:16]}"


def sources() -> str:
    """A hash of everything that the prepared build is made of, and of where it is."""
    digest = hashlib.sha256(str(ROOT).encode())
    own = (Path(__file__).with_name("metadata.py"), ROOT / "scripts" / "petal-kernel" / "src" / "kernel" / "flush.rs")
    files = [ROOT / "Cargo.toml", ROOT / "Cargo.lock", ROOT / "notebooks" / "evcxr.toml", *own]
    for folder in (ROOT / "src", ROOT / "notebooks" / "kernel", ROOT / "models" / "pretrained"):
        files += sorted(path for path in folder.rglob("*") if path.is_file() and "target" not in path.parts)
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0")
        digest.update(file.read_bytes())
    return digest.hexdigest()


def link(prepared: Path, folder: Path) -> None:
    """Gives a kernel's folder what rustc reads, and the answers that are known. The rest, two thousand small files, is left for when cargo is
    to compile something: rest.py."""
    copy(prepared / "cell" / "target", folder / "cell" / "target", lambda name: name.endswith(REPLACED))
    for kept in KEPT:
        copy(prepared / kept, folder / kept, lambda name: True)
    stamp = prepared / "stamp"
    rest = [sys.executable, str(Path(__file__).with_name("rest.py")), str(prepared), str(folder), stamp.read_text() if stamp.is_file() else ""]
    (folder / "rest").write_text(json.dumps(rest), encoding="utf-8")


def copy(source: Path, target: Path, wanted: Callable[[str], bool]) -> None:
    """Copies the wanted files of such a folder that the other has not. What programs only ever replace as a whole is linked; what may be written
    in place is copied, so that no kernel can change the prepared build."""
    copied = {}  # cargo links some files to two names
    for folder, _, files in os.walk(source):
        there = os.path.join(target, os.path.relpath(folder, source))
        for name in filter(wanted, files):
            old, new = os.path.join(folder, name), os.path.join(there, name)
            if os.path.lexists(new):
                continue
            os.makedirs(there, exist_ok=True)
            inode = os.stat(old).st_ino
            if inode in copied or name.endswith(REPLACED) or source.name in KEPT:
                try:
                    os.link(copied.get(inode, old), new)
                    continue
                except OSError:
                    pass  # another file system, or one without links
            shutil.copy2(old, new)
            copied[inode] = new


@contextmanager
def locked(folder: Path, exclusive: bool):
    """Holds a lock that stands for `folder`, in a file beside it: many may read, one may change it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
