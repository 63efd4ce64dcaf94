"""For scripts/measure_recipes.sh: disjoint folds of a folder of photos as tables of labels, and the table of what was measured on them.

    folds.py PHOTOS OUT COUNT      writes OUT/fold-0.csv and so on
    folds.py --seconds FILE N      puts the seconds into a result
    folds.py --table OUT BACKBONE  prints accuracy and time of each recipe over the folds that are done

Photos that show the same are not looked for here: `petal split-dataset` tells those that a fold has in two parts.
"""

import csv
import hashlib
import json
import math
import sys
from pathlib import Path


def write(photos, out, count):
    """Each fold is tested once; the next one decides, the others are learned from. The order comes from the photos' bytes."""
    rows = []
    for folder in sorted(path for path in photos.iterdir() if path.is_dir()):
        files = [path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
        files.sort(key=lambda path: hashlib.sha256(path.read_bytes()).hexdigest())
        rows += [(f"{folder.name}/{path.name}", folder.name, place % count) for place, path in enumerate(files)]
    for fold in range(count):
        part = {fold: "test", (fold + 1) % count: "val"}
        with open(out / f"fold-{fold}.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["path", "label", "split"])
            table.writerows([path, label, part.get(own, "train")] for path, label, own in rows)


def table(out, backbone):
    print("| recipe | folds | test accuracy %, mean ± sd | seconds a run |\n|---|---|---|---|")
    for recipe in ("seed", "instant", "best"):
        results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(f"{recipe}-{backbone}-*.json"))]
        if not results:
            continue
        accuracies = [100 * result["test"]["accuracy"] for result in results]
        mean = sum(accuracies) / len(accuracies)
        spread = math.sqrt(sum((a - mean) ** 2 for a in accuracies) / max(1, len(accuracies) - 1))
        seconds = sum(result["seconds"] for result in results) / len(results)
        print(f"| {recipe} | {len(results)} | {mean:.1f} ± {spread:.1f} | {seconds:.0f} |")


def main():
    if sys.argv[1] == "--seconds":
        path = Path(sys.argv[2])
        result = json.loads(path.read_text(encoding="utf-8"))
        result["seconds"] = int(sys.argv[3])
        path.write_text(json.dumps(result), encoding="utf-8")
    elif sys.argv[1] == "--table":
        table(Path(sys.argv[2]), sys.argv[3])
    else:
        write(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    main()
