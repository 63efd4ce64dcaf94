"""How many labels that were swapped on purpose `petal audit` lists first, and cleanlab on the same probabilities; then what it flags among
the photos as they are, and how many blurred ones it finds (Pillow). It goes on where it stopped, a seed at a time.

    measure_audit.py PETAL PHOTOS OUT   PETAL the command, PHOTOS a folder with a folder a class, OUT where results are kept

Of each seed, 5 % of all photos get the label of another class, drawn evenly, in a table of labels; the photos stay where they are. cleanlab
(pip install cleanlab) is asked with the very out-of-fold probabilities that petal's table has.
"""

import csv
import json
import random
import subprocess
import sys
from pathlib import Path

SEEDS = range(5)
NOISE = 0.05
FIRST = 0.10


def labels(photos):
    """Each photo's name with its class, sorted."""
    classes = sorted(path for path in photos.iterdir() if path.is_dir())
    return {f"{folder.name}/{path.name}": folder.name for folder in classes for path in sorted(folder.iterdir()) if path.suffix == ".jpg"}


def swapped(true, seed):
    """The same with so many labels of another class, and which photos have one."""
    draw, classes = random.Random(seed), sorted(set(true.values()))
    wrong = draw.sample(sorted(true), round(NOISE * len(true)))
    return true | {name: draw.choice([other for other in classes if other != true[name]]) for name in wrong}, set(wrong)


def audit(petal, photos, out, name, arguments):
    """petal's table of all photos and its JSON; kept once they are there."""
    table, told = out / f"{name}.csv", out / f"{name}.json"
    if not told.exists():
        command = [petal, "audit", "--photos", photos, *arguments, "--csv", table, "--json", "--data", out / "data", "--models", out / "models"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        told.write_text(done.stdout, encoding="utf-8")
    with open(table, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle)), json.loads(told.read_text(encoding="utf-8"))


def cleanlab(rows):
    """Its rankings of all photos, best first, and the photos that its default filter and its confident learning give."""
    import numpy
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    classes = [column[2:-1] for column in rows[0] if column.startswith("p(")]
    told = numpy.array([[float(row[f"p({name})"]) for name in classes] for row in rows])
    told /= told.sum(1, keepdims=True)
    given = numpy.array([classes.index(row["class"]) for row in rows])
    methods = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    ranked = {method: numpy.argsort(get_label_quality_scores(given, told, method=method), kind="stable") for method in methods}
    filters = ("confident_learning", "prune_by_noise_rate")
    found = {name: numpy.flatnonzero(find_label_issues(given, told, filter_by=name, n_jobs=1)) for name in filters}
    return ranked, found


def measure(petal, photos, out, seed):
    true = labels(photos)
    given, wrong = swapped(true, seed)
    table = out / f"labels-{seed}.csv"
    with open(table, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("path", "label"), *given.items()])
    rows, _ = audit(petal, photos, out, f"swapped-{seed}", ["--labels", table])
    first = round(FIRST * len(rows))
    names = [row["photo"] for row in rows]

    def share(some):
        return len(wrong & set(some)) / len(wrong)

    own = {row["photo"] for row in rows if "label" in row["findings"].split()}
    result = {"photos": len(rows), "swapped": len(wrong), "first": first, "petal": share(names[:first])}
    result["petal_found"] = [len(own), share(own)]
    ranked, found = cleanlab(rows)
    result["cleanlab"] = {name: share(names[place] for place in order[:first]) for name, order in ranked.items()}
    result["cleanlab_found"] = {name: [len(places), share(names[place] for place in places)] for name, places in found.items()}
    result["same"] = own == {names[place] for place in found["confident_learning"]}
    return result


def blurred(petal, photos, out):
    """How many are found of 5 % of the photos, blurred by 0.8, 1.5 or 3 % of their shorter side, and how many others."""
    from PIL import Image, ImageFilter

    for share in (0.8, 1.5, 3.0):
        copy, wrong = out / f"blurred-{share}", set(random.Random(0).sample(sorted(labels(photos)), round(NOISE * len(labels(photos)))))
        for name in labels(photos):
            place = copy / name
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if name in wrong:
                with Image.open(photos / name) as photo:
                    smooth = photo.convert("RGB").filter(ImageFilter.GaussianBlur(share / 100 * min(photo.size)))
                smooth.save(place, quality=95)
            else:
                place.symlink_to((photos / name).resolve())
        rows, _ = audit(petal, copy, out, copy.name, [])
        found = {row["photo"] for row in rows if "blurred" in row["findings"].split()}
        print(f"blurred by {share} % of the shorter side: {len(found & wrong)} of {len(wrong)} found; {len(found - wrong)} others")


def of_all(result, found):
    count, share = found
    return f"{round(share * result['swapped'])} of {count}"


def table(results):
    head = ["seed", "swapped", "in petal's first 10 %", "cleanlab: self_confidence", "normalized_margin", "petal's findings", "confident_learning"]
    print("| " + " | ".join([*head, "prune_by_noise_rate"]) + " |\n|---" + "|---:" * len(head) + "|")
    for seed, result in zip(SEEDS, results, strict=True):
        ranked, found = result["cleanlab"], result["cleanlab_found"]
        cells = [seed, result["swapped"], f"{100 * result['petal']:.1f} %"]
        cells += [f"{100 * ranked[name]:.1f} %" for name in ("self_confidence", "normalized_margin")]
        cells += [of_all(result, result["petal_found"]), *(of_all(result, found[name]) for name in ("confident_learning", "prune_by_noise_rate"))]
        print("| " + " | ".join(map(str, cells)) + " |")
    own = sum(result["petal"] for result in results) / len(results)
    other = sum(result["cleanlab"]["self_confidence"] for result in results) / len(results)
    print(f"\nmean: petal {100 * own:.1f} %, cleanlab {100 * other:.1f} %; the same photos found: {all(result['same'] for result in results)}")


def main():
    petal, photos, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    results = []
    for seed in SEEDS:
        kept = out / f"seed-{seed}.json"
        if not kept.exists():
            kept.write_text(json.dumps(measure(petal, photos, out, seed)), encoding="utf-8")
        results.append(json.loads(kept.read_text(encoding="utf-8")))
    table(results)
    _, told = audit(petal, photos, out, "as-they-are", [])
    print("\nas they are:", {kind: len(found) for kind, found in told["findings"].items()}, "of", told["photos"])
    for probe in told["circumstances"]:
        low, high = probe["tells_interval_95"]
        share = f"{100 * probe['tells']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        print(f"{probe['circumstance']}: {share}, p {probe['p']:.3f}, shown {probe['is_shown']}: {probe['classes']}")
    blurred(petal, photos, out)


if __name__ == "__main__":
    main()
