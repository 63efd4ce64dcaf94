"""`cargo metadata` for rust-analyzer, which evcxr asks for the type of each `let`: without what it need not read.

    metadata.py CARGO metadata …        what the `cargo` of prepare.py calls

rust-analyzer first reads the source of every package that `cargo metadata` names: for petal, 400 packages with 160 MB, each time a kernel
starts. Here petal's own dependencies are left out, but for those whose types are part of its interface. What else a notebook depends
on stays, with all that it needs.
"""

import json
import subprocess
import sys

# Of these packages a cell sees types; of what they depend on, only what is named here, too.
OPAQUE = {"petal", "petal_notebook", "candle-core", "polars", "polars-core"}


def main() -> int:
    command = sys.argv[1:]
    if "--manifest-path" in command:
        # rust-analyzer asks, not evcxr; what it may look into is there.
        command.append("--offline")
    answer = subprocess.run(command, stdout=subprocess.PIPE)
    if answer.returncode == 0:
        print(json.dumps(pruned(json.loads(answer.stdout)), separators=(",", ":")))
    else:
        sys.stdout.buffer.write(answer.stdout)
    return answer.returncode


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
