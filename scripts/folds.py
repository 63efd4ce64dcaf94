"""For scripts/measure_recipes.sh: parts of a folder of photos as tables of labels, and tables of what was measured on them.

    folds.py --folds PHOTOS OUT COUNT           writes OUT/fold-0.csv and so on: disjoint folds, each photo tested once
    folds.py --few PHOTOS OUT PER_CLASS COUNT   writes OUT/few-PHOTOS-0.csv and so on: so few photos of each class to learn from and to decide on,
                                                drawn anew in each table; all others are tested
    folds.py --seconds FILE N                   puts the seconds into a result
    folds.py --table OUT BACKBONE               prints accuracy and time of each recipe over the folds that are done, and how they differ
    folds.py --sizes OUT BACKBONE               prints the accuracy of each recipe with few photos, over the seeds that are done

Photos that show the same are not looked for here: `petal split-dataset` tells those that a fold has in two parts.
"""

import csv
import hashlib
import json
import math
import random
import sys
from pathlib import Path

RECIPES = ("seed", "instant", "best")
DRAWS = 1_000


def classes(photos):
    """Each class with its files, in the order of their bytes' hashes."""
    for folder in sorted(path for path in photos.iterdir() if path.is_dir()):
        files = [path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
        yield folder.name, sorted(files, key=lambda path: hashlib.sha256(path.read_bytes()).hexdigest())


def write(file, rows):
    with open(file, "w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(["path", "label", "split"])
        table.writerows(rows)


def folds(photos, out, count):
    """Each fold is tested once; the next one decides, the others are learned from."""
    dealt = [(f"{name}/{path.name}", name, place % count) for name, files in classes(photos) for place, path in enumerate(files)]
    for fold in range(count):
        part = {fold: "test", (fold + 1) % count: "val"}
        write(out / f"fold-{fold}.csv", [(path, label, part.get(own, "train")) for path, label, own in dealt])


def few(photos, out, per_class, count):
    """Of the few, a fifth decides, at least two a class."""
    val, known = max(2, per_class // 5), list(classes(photos))
    for seed in range(count):
        rows = []
        for name, files in known:
            drawn = random.Random(f"{seed} {name}").sample(files, len(files))
            parts = ["val" if place < val else "train" if place < per_class else "test" for place in range(len(files))]
            rows += [(f"{name}/{path.name}", name, part) for path, part in zip(drawn, parts, strict=True)]
        write(out / f"few-{per_class * len(known)}-{seed}.csv", rows)


def told(result):
    """Which test photos a run has right, by class and file: two classes may have files of one name."""
    with open(Path(result["run"]) / "predictions_test.csv", newline="", encoding="utf-8") as handle:
        return {Path(row["path"]).parts[-2:]: row["target"] == row["predicted"] for row in csv.DictReader(handle)}


def results(out, pattern):
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(pattern))]


def spread(numbers):
    mean = sum(numbers) / len(numbers)
    return mean, math.sqrt(sum((number - mean) ** 2 for number in numbers) / max(1, len(numbers) - 1))


def table(out, backbone):
    print("| recipe | folds | test accuracy %, mean ± sd | seconds a run |\n|---|---|---|---|")
    of = {recipe: results(out, f"{recipe}-{backbone}-[0-9].json") for recipe in RECIPES}
    for recipe, found in of.items():
        if found:
            mean, deviation = spread([100 * result["test"]["accuracy"] for result in found])
            seconds = sum(result["seconds"] for result in found) / len(found)
            print(f"| {recipe} | {len(found)} | {mean:.1f} ± {deviation:.1f} | {seconds:.0f} |")
    for recipe in RECIPES[1:]:
        pairs = list(zip(of["seed"], of[recipe], strict=False))
        if pairs:
            differ(recipe, [(told(first), told(other)) for first, other in pairs])


def differ(recipe, pairs):
    """A recipe against seed on the same photos: those that only one has right, and the difference with its bootstrap over the photos."""
    first = {path: right for one, _ in pairs for path, right in one.items()}
    other = {path: right for _, two in pairs for path, right in two.items()}
    if first.keys() != other.keys():
        sys.exit(f"seed and {recipe} were not measured on the same photos")
    photos = first.keys()
    only_first = sum(first[path] and not other[path] for path in photos)
    only_other = sum(other[path] and not first[path] for path in photos)
    rng, count = random.Random(0), len(photos)
    weights = [only_other, only_first, count - only_other - only_first]
    sums = sorted(sum(rng.choices((1, -1, 0), weights, k=count)) for _ in range(DRAWS))
    low, high = (100 * sums[int(share * (len(sums) - 1))] / count for share in (0.025, 0.975))
    gain = 100 * (only_other - only_first) / count
    print(f"{recipe} against seed, {count} photos: {gain:+.1f} points ({low:+.1f} to {high:+.1f}, 95 %, paired by photo);", end=" ")
    print(f"only seed is right on {only_first}, only {recipe} on {only_other}")


def sizes(out, backbone):
    print("| photos | recipe | seeds | test accuracy %, mean ± sd |\n|---|---|---|---|")
    for count in sorted({int(path.name.split("-")[1]) for path in out.glob("few-*.json")}):
        for recipe in RECIPES:
            found = results(out, f"few-{count}-{recipe}-{backbone}-*.json")
            if found:
                mean, deviation = spread([100 * result["test"]["accuracy"] for result in found])
                print(f"| {count} | {recipe} | {len(found)} | {mean:.1f} ± {deviation:.1f} |")


def main():
    what, *rest = sys.argv[1:]
    if what == "--seconds":
        path = Path(rest[0])
        result = json.loads(path.read_text(encoding="utf-8"))
        result["seconds"] = int(rest[1])
        path.write_text(json.dumps(result), encoding="utf-8")
    elif what == "--table":
        table(Path(rest[0]), rest[1])
    elif what == "--sizes":
        sizes(Path(rest[0]), rest[1])
    elif what == "--few":
        few(Path(rest[0]), Path(rest[1]), int(rest[2]), int(rest[3]))
    else:
        folds(Path(rest[0]), Path(rest[1]), int(rest[2]))


if __name__ == "__main__":
    main()
