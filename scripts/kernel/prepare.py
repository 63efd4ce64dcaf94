"""Makes the build that every kernel starts from, and tells Jupyter of the kernel. Does nothing where both are as they should be.

prepare.py KERNEL       run with the kernel's path in the repository's .venv, by notebook.sh and test.sh
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import library
import workspace
from session import Kernel

# As in the notebook's first cell. A second cell, since the first alone compiles nothing.
CELLS = [workspace.DEPENDENCY, "use petal::prelude::*;", "let project: Option<Project> = None;"]
KEEP_UNUSED = 14 * 24 * 3600


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the kernel is ended, too
    program = Path(sys.argv[1]).resolve()
    prepared = workspace.prepared()
    write_kernelspec(program, prepared)
    with workspace.locked(prepared, exclusive=True):
        stamp = prepared / "stamp"
        wanted = workspace.sources()
        if not (stamp.is_file() and stamp.read_text() == wanted):
            stamp.unlink(missing_ok=True)
            workspace.write(prepared)
            remove_petal(prepared)
            for kept in workspace.KEPT:  # for what was there before
                shutil.rmtree(prepared / kept, ignore_errors=True)
            print("Building petal for the notebook: about ten minutes the first time, one after a change of petal", flush=True)
            build(prepared)
            stamp.write_text(wanted)
        stamp.touch()
    remove_unused(prepared)
    return 0


def write_kernelspec(program: Path, prepared: Path) -> None:
    folder = Path(sys.prefix) / "share" / "jupyter" / "kernels" / "petal"
    (folder / "rust" / "bin").mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [sys.executable, str(Path(__file__).with_name("launch.py")), str(program), str(prepared), "{connection_file}"],
        "display_name": "Rust (petal)",
        "language": "rust",
        "interrupt_mode": "message",
        "env": {"PETAL_CACHE": str(workspace.CACHE)},
    }
    (folder / "kernel.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
    sysroot = Path(subprocess.run(["rustc", "--print", "sysroot"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
    version = subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE).stdout
    write_library(folder / "rust" / "library", version, sysroot / "lib" / "rustlib" / "src" / "rust" / "library")
    write_tools(folder / "rust", program, sysroot)


def write_library(link: Path, version: bytes, source: Path) -> None:
    """The standard library's source as rust-analyzer finds it (launch.py), one for each compiler."""
    digest = hashlib.sha256(version + Path(library.__file__).read_bytes())
    folder = workspace.CACHE / f"library-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=workspace.CACHE, prefix="library.") as part:
            library.write(Path(part) / "library", source)
            (Path(part) / "library").replace(folder)
    os.utime(folder)
    if link.is_symlink() or not link.is_dir():
        link.unlink(missing_ok=True)
    else:
        shutil.rmtree(link)  # as earlier versions made it
    link.symlink_to(folder)


def write_tools(folder: Path, program: Path, sysroot: Path) -> None:
    """Rust's tools as kernels find them (launch.py): the kernel, which calls the real ones where it must (tools/mod.rs says why) and asks this
    project's metadata.py; and where Rust's own libraries are."""
    real = {name: next(path for path in (sysroot / "bin" / name, Path(shutil.which(name))) if path.exists()) for name in ("cargo", "rustc")}
    libraries = subprocess.run(["rustc", "--print", "target-libdir"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    for link, target in (("bin/cargo", program), ("bin/rustc", program), *real.items(), ("libraries", libraries)):
        (folder / link).unlink(missing_ok=True)
        (folder / link).symlink_to(target)
    # A standard library with nothing in it (launch.py).
    (folder / "empty" / "core" / "src").mkdir(parents=True, exist_ok=True)
    (folder / "empty" / "core" / "src" / "lib.rs").write_text("", encoding="utf-8")
    script = shlex.join([sys.executable, str(Path(__file__).with_name("metadata.py"))])
    (folder / "metadata").write_text(f'#!/bin/sh\nexec {script} "$@"\n', encoding="utf-8")
    (folder / "metadata").chmod(0o755)


def build(prepared: Path) -> None:
    """Runs the first cells in the prepared folder itself: then everything is compiled just as a kernel does it."""
    start = time.monotonic()
    with progress(prepared), Kernel(workspace.ROOT / "notebooks", {"PETAL_KERNEL_FOLDER": str(prepared)}) as kernel:
        for cell in CELLS:
            problem = kernel.run(cell).problem()
            if problem:
                sys.exit(f"petal cannot be built for the notebook. The cell\n    {cell}\nsays: {problem}")
    for cell in prepared.glob("cell/target/*/debug/**/libcode_*"):
        cell.unlink()
    print(f"Built in {time.monotonic() - start:.0f} s", flush=True)


@contextmanager
def progress(prepared: Path) -> Iterator[None]:
    """Says how many packages cargo has begun with: in one line in a terminal, otherwise once a minute."""
    done = threading.Event()
    terminal = sys.stdout.isatty()
    command = ["cargo", "tree", "--offline", "--locked", "--package", "petal_notebook", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"]
    tree = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=workspace.ROOT).stdout
    needed = {line.split()[0] for line in tree.splitlines() if line}

    def tell() -> None:
        start = time.monotonic()
        while not done.wait(0.5 if terminal else 60):
            folders = prepared.glob("cell/target/**/.fingerprint/*")
            begun = needed & {folder.name.rpartition("-")[0] for folder in folders}
            minutes, seconds = divmod(int(time.monotonic() - start), 60)
            words = f"  {len(begun)} of {len(needed)} packages, {minutes}:{seconds:02} min"
            print(f"\r{words}   " if terminal else words, end="" if terminal else "\n", flush=True)
        if terminal:
            print()

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def remove_petal(prepared: Path) -> None:
    """Removes earlier builds of petal itself, of this or of another clone, so that they don't pile up. Dependencies stay."""
    for path in list(prepared.glob("cell/target/*/debug/**/*petal*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_unused(prepared: Path) -> None:
    """Removes what was made for other versions and that no one has used for two weeks."""
    for stamp in [*workspace.CACHE.glob("notebook-*/stamp"), *workspace.CACHE.glob("library-*")]:
        if stamp.parent != prepared and time.time() - stamp.stat().st_mtime > KEEP_UNUSED:
            folder = stamp if stamp.is_dir() else stamp.parent
            with workspace.locked(folder, exclusive=True):
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
