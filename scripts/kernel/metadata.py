"""`cargo metadata` for rust-analyzer, which evcxr asks for the type of each `let`: without what it need not read.

    metadata.py CARGO metadata …        what the `cargo` of prepare.py calls

rust-analyzer first reads the source of every package that `cargo metadata` names: for petal, 400 packages with 160 MB, each time a kernel
starts. Here petal's own dependencies are left out, but for those whose types are part of its interface. What else a notebook depends
on stays, with all that it needs.

The answer is kept in the kernel's folder, and the prepared one hands it on to all kernels: 0.03 s each time instead of 0.4.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # workspace.py has it, too, but to import that takes longer than the answer
HERE = "<the kernel's folder>"

# Of these packages a cell sees types; of what they depend on, only what is named here, too.
OPAQUE = {"petal", "petal_notebook", "candle-core", "polars", "polars-core"}


def main() -> int:
    command = sys.argv[1:]
    if "--manifest-path" in command:
        # rust-analyzer asks, not evcxr; what it may look into is there.
        command.append("--offline")
    folder = next((path for path in (Path.cwd(), Path.cwd().parent) if (path / "repository.lock").is_file()), Path.cwd())
    kept = kept_answer(command, folder)
    if kept and kept.is_file():
        sys.stdout.write(kept.read_text(encoding="utf-8").replace(HERE, str(folder)))
        return 0
    import subprocess  # takes longer than all else, and is seldom needed

    answer = subprocess.run(command, stdout=subprocess.PIPE)
    if answer.returncode == 0:
        text = json.dumps(pruned(json.loads(answer.stdout)), separators=(",", ":")) + "\n"
        sys.stdout.write(text)
        if kept:
            keep(kept, text.replace(str(folder), HERE))
    else:
        sys.stdout.buffer.write(answer.stdout)
    return answer.returncode


def kept_answer(command: list, folder: Path) -> Path | None:
    """Where the answer is kept; nowhere, where it hangs on more than what is looked at here."""
    try:
        cell = (folder / "cell" / "Cargo.toml").read_text(encoding="utf-8")
        if not re.fullmatch(r'(\s*petal = \{ package = "petal_notebook", path = "[^"]*" \})?\s*', cell.partition("[dependencies]")[2]):
            return None
        asked = [*command[1:], os.environ.get("CARGO_HOME", "")]  # where cargo has its packages
        digest = hashlib.sha256("\0".join(asked).replace(str(folder), HERE).encode())
        files = [Path(__file__), folder / "cell" / "Cargo.toml", folder / "Cargo.toml", folder / "repository.lock"]
        for file in [*files, *(ROOT / name for name in ("Cargo.toml", "Cargo.lock", "notebooks/kernel/Cargo.toml"))]:
            digest.update(file.read_bytes() + b"\0")
    except OSError:
        return None
    return folder / "metadata" / digest.hexdigest()[:16]


def keep(file: Path, text: str) -> None:
    """Without it, cargo is asked again: a disk that is full does no harm."""
    part = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)


def pruned(metadata: dict) -> dict:
    """The same metadata without packages that nobody looks into."""
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    needs = {node["id"]: node["dependencies"] for node in (metadata.get("resolve") or {"nodes": []})["nodes"]}
    kept, waiting = set(), list(metadata["workspace_members"])
    while waiting:
        package = waiting.pop()
        if package not in kept:
            kept.add(package)
            waiting += [other for other in needs.get(package, []) if names[package] not in OPAQUE or names[other] in OPAQUE]
    return only(metadata, kept)


def only(metadata: dict, kept: set) -> dict:
    """What the metadata says of these packages."""
    metadata["packages"] = [package for package in metadata["packages"] if package["id"] in kept]
    for key in ("workspace_members", "workspace_default_members"):
        metadata[key] = [package for package in metadata.get(key) or [] if package in kept]
    if metadata.get("resolve"):
        metadata["resolve"]["nodes"] = [node for node in metadata["resolve"]["nodes"] if node["id"] in kept]
        for node in metadata["resolve"]["nodes"]:
            node["dependencies"] = [package for package in node["dependencies"] if package in kept]
            node["deps"] = [need for need in node.get("deps", []) if need["pkg"] in kept]
    return metadata


if __name__ == "__main__":
    sys.exit(main())
