"""Writes the results table of README.md from what scripts/measure.sh measured."""

import glob
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
    minutes = sum(r["seconds"] for r in results) / len(results) / 60
    memory = max(r["peak_memory_bytes"] or 0 for r in results) / 1e9
    epochs = ", ".join(str(len(r["epochs"])) for r in results)
    return f"| {name} | {mean_text} | {intervals} | {epochs} | {minutes:.1f} | {memory:.1f} |"


def main():
    folder, backbone, readme = sys.argv[1:4]
    rows = []
    photos = set()
    for model, name in (("transfer", f"{backbone}, both phases"), ("baseline", "baseline CNN from scratch")):
        paths = sorted(glob.glob(os.path.join(folder, f"{model}-{backbone}-*.json")))
        results = [json.loads(Path(path).read_text(encoding="utf-8")) for path in paths]
        if results:
            photos.update(result["test"]["photos"] for result in results)
            rows.append(row(f"{name} ({len(results)} seed{'s' if len(results) > 1 else ''})", results))
    count = " or ".join(str(n) for n in sorted(photos))
    table = [
        "| model | test accuracy %, mean ± sd | each seed (95 % interval) | epochs | minutes a run | peak memory GB |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"Recipe `seed`, {count} test photos a seed, on {os.cpu_count()} cores of {processor()}; the whole `petal train`, cold caches.",
    ]
    text = Path(readme).read_text(encoding="utf-8")
    begin, end = "<!-- results: written by scripts/measure.sh -->", "<!-- end of results -->"
    before, rest = text.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(readme, "w", encoding="utf-8") as out:
        out.write(before + begin + "\n" + "\n".join(table) + "\n" + end + after)


main()
