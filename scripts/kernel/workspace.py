"""The folder that a kernel compiles its cells in: a cargo workspace of two crates.

    workspace/
        Cargo.toml    members and the build profile
        Cargo.lock    the repository's
        cell/         evcxr's own folder (EVCXR_TMPDIR): the cell at hand as a crate, and target/
        lock/         an empty crate that depends on petal

evcxr first builds a cell without dependencies, for which cargo would strike every package from the lock file and then choose
versions anew. With `lock/` beside it in one workspace they all stay, so that notebook and scripts use the same versions. And the
profile comes from the workspace, instead of the one that evcxr writes for its crate.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("PETAL_CACHE") or Path.home() / ".cache" / "petal").resolve()
KERNELS = CACHE / "kernels"

# Dependencies at full speed; a cell itself is short and compiles fastest without. No overflow checks, as in the command.
MANIFEST = """\
[workspace]
members = ["cell", "lock"]
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
# evcxr replaces it before its first build; until then the workspace needs a crate here.
CELL = '[package]\nname = "ctx"\nversion = "1.0.0"\nedition = "2024"\n'
LOCK = '[package]\nname = "lock"\nversion = "1.0.0"\nedition = "2024"\n\n[dependencies]\npetal_notebook = {{ path = "{path}" }}\n'


def write(workspace: Path) -> None:
    """Writes what a workspace is made of; leaves a build in it as it is."""
    path = str(ROOT / "notebooks" / "kernel").replace("\\", "\\\\").replace('"', '\\"')
    for name, text in {
        "Cargo.toml": MANIFEST,
        "cell/Cargo.toml": CELL,
        "cell/src/lib.rs": "",
        "lock/Cargo.toml": LOCK.format(path=path),
        "lock/src/lib.rs": "",
    }.items():
        file = workspace / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    shutil.copyfile(ROOT / "Cargo.lock", workspace / "Cargo.lock")


def prepared(evcxr: Path) -> Path:
    """Where the build is that kernels start from: one for each compiler and set of locked versions."""
    digest = hashlib.sha256()
    digest.update(subprocess.run(["rustc", "-vV"], check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)
    for text in (str(evcxr), MANIFEST, (ROOT / "Cargo.lock").read_text(encoding="utf-8")):
        digest.update(text.encode())
    return CACHE / f"notebook-{digest.hexdigest()[:16]}"


def sources() -> str:
    """A hash of everything that petal is compiled from, and of where it is."""
    digest = hashlib.sha256(str(ROOT).encode())
    files = [ROOT / "Cargo.toml", ROOT / "Cargo.lock", ROOT / "notebooks" / "evcxr.toml"]
    for folder in (ROOT / "src", ROOT / "notebooks" / "kernel", ROOT / "models" / "pretrained"):
        files += sorted(path for path in folder.rglob("*") if path.is_file() and "target" not in path.parts)
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0")
        digest.update(file.read_bytes())
    return digest.hexdigest()


def copy(source: Path, target: Path) -> None:
    """Copies a workspace with its build. What rustc only ever replaces as a whole is linked; what may be written in place is copied,
    so that no kernel can change the prepared build."""
    for folder, _, files in os.walk(source):
        there = os.path.join(target, os.path.relpath(folder, source))
        os.makedirs(there, exist_ok=True)
        for name in files:
            old, new = os.path.join(folder, name), os.path.join(there, name)
            if name.endswith((".rlib", ".rmeta")):
                try:
                    os.link(old, new)
                    continue
                except OSError:
                    pass  # another file system, or one without links
            shutil.copy2(old, new)


@contextmanager
def locked(folder: Path, exclusive: bool):
    """Holds a lock that stands for `folder`, in a file beside it: many may read, one may change it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
