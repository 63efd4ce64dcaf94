"""Writes the results table of README.md from what scripts/measure.sh measured."""

import json
import os
import platform
import sys
from pathlib import Path

from folds import spread


def processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def row(name, results):
    accuracies = [result["test"]["accuracy"] for result in results]
    mean, deviation = spread(accuracies)
    intervals = ", ".join(
        "{:.1f} ({:.1f}–{:.1f})".format(*(100 * x for x in (r["test"]["accuracy"], *r["test"]["accuracy_interval_95"]))) for r in results
    )
    # One seed says nothing of how seeds differ.
    mean_text = f"{100 * mean:.1f} ± {100 * deviation:.1f}" if len(results) > 1 else f"{100 * mean:.1f}"
    # Other work may have shared the processor: the fastest is nearest to what a run takes.
    minutes = min(r["seconds"] for r in results) / 60
    memory = max(r["peak_memory_bytes"] or 0 for r in results) / 1e9
    epochs = ", ".join(str(len(r["epochs"])) for r in results)
    return f"| {name} | {mean_text} | {intervals} | {epochs} | {minutes:.1f} | {memory:.1f} |"


def order(name):
    """Network by network, the recipes in the order of their cost; the baseline last."""
    recipe, _, network = name.partition("-")
    known = ("instant", "seed", "best")
    return not network, network, known.index(recipe) if recipe in known else len(known), name


def main():
    folder, readme = Path(sys.argv[1]), Path(sys.argv[2])
    measured = {}
    for path in sorted(folder.glob("*-*.json")):
        measured.setdefault(path.stem.rpartition("-")[0], []).append(json.loads(path.read_text(encoding="utf-8")))
    rows = []
    for name in sorted(measured, key=order):
        recipe, _, network = name.partition("-")
        told = f"`{recipe}` | {network}" if network else "`seed` | baseline CNN from scratch"
        rows.append(row(f"{told} | {len(measured[name])}", measured[name]))
    count = " or ".join(str(n) for n in sorted({result["test"]["photos"] for results in measured.values() for result in results}))
    table = [
        "| recipe | network | seeds | test accuracy %, mean ± sd | each seed (95 % interval) | epochs | minutes, the fastest run | peak memory GB |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"{count} test photos a seed, on {os.cpu_count()} cores of {processor()}; the whole `petal train`, cold caches.",
    ]
    text = readme.read_text(encoding="utf-8")
    begin, end = "<!-- results: written by scripts/measure.sh -->", "<!-- end of results -->"
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    readme.write_text(before + begin + "\n" + "\n".join(table) + "\n" + end + after, encoding="utf-8")


main()
