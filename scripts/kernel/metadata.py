"""`cargo metadata` for rust-analyzer, which evcxr asks for the type of each `let`: without what it need not read.

    metadata.py CARGO metadata …        what the `cargo` of prepare.py calls

rust-analyzer first reads the source of every package that `cargo metadata` names: for petal, 400 packages with 160 MB, each time a kernel
starts. Here petal's own dependencies are left out, but for those whose types are part of its interface. What else a notebook depends
on stays, with all that it needs.
"""

import json
import subprocess
import sys
from pathlib import Path

# Of these packages a cell sees types; of what they depend on, only what is named here, too.
OPAQUE = {"petal", "petal_notebook", "candle-core", "polars", "polars-core"}
# Of Rust's standard library.
STANDARD = {"core", "alloc", "std", "proc_macro"}


def main() -> int:
    command = sys.argv[1:]
    standard = any("rustlib" in Path(word).parts for word in command)
    if "--manifest-path" in command:
        # rust-analyzer asks, not evcxr; what it may look into is there.
        command += ["--no-deps"] if standard else ["--offline"]
    answer = subprocess.run(command, stdout=subprocess.PIPE)
    if answer.returncode == 0:
        metadata = json.loads(answer.stdout)
        metadata = standard_library(metadata) if standard else pruned(metadata)
        sys.stdout.write(json.dumps(metadata, separators=(",", ":")) + "\n")
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


def standard_library(metadata: dict) -> dict:
    """Of the standard library's workspace, the crates that cells see. It is read without dependencies, which would have to be fetched;
    how these crates depend on each other is added."""
    ids = {package["name"]: package["id"] for package in metadata["packages"] if package["name"] in STANDARD}
    nodes = []
    for package in metadata["packages"]:
        uses = [name for name in sorted(ids) if any(need["name"] == name and need.get("path") for need in package["dependencies"])]
        deps = [{"name": name, "pkg": ids[name], "dep_kinds": [{"kind": None, "target": None}]} for name in uses]
        nodes.append({"id": package["id"], "dependencies": [ids[name] for name in uses], "deps": deps, "features": []})
    return only({**metadata, "resolve": {"nodes": nodes, "root": None}}, set(ids.values()))


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
