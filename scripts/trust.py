"""For scripts/measure_trust.sh: pictures of other things than flowers, tables of labels without a class, and tables of what was measured.

trust.py --others OUT               writes OUT/pictures (those that scikit-image, scikit-learn and matplotlib ship), OUT/noise,
                                    OUT/textures and OUT/screenshots, which are drawn
trust.py --without DATA CLASS OUT   writes a table of labels: all photos of a split but those of a class, in their parts
trust.py --tables OUT NAME          prints what is measured so far
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from folds import spread
from PIL import Image, ImageDraw

DRAWN = 40
SIDE = 320
# The other half of a pair, the same board in colours, and the flower.
LEFT_OUT = {"motorcycle_right.png", "chessboard_RGB.png", "flower.jpg"}


def shipped(out):
    """Every picture that these packages ship, whole; never one with a flower."""
    import matplotlib
    import skimage
    import sklearn

    folders = [Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets/images"]
    folders.append(Path(matplotlib.__file__).parent / "mpl-data/sample_data")
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        if path.suffix in (".png", ".jpg") and path.name not in LEFT_OUT:
            Image.open(path).convert("RGB").save(out / f"{path.stem}.png")


def noise(rng, index):
    """White noise, from a pixel to patches of 32."""
    side = SIDE >> (index % 6)
    small = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC if index % 2 else Image.Resampling.NEAREST)


def texture(rng, index):
    """Waves, boards, rings and marble between two colours."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    turn, count = rng.uniform(0, np.pi), rng.uniform(3, 30)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    if index % 4 == 0:
        value = 0.5 + 0.5 * np.sin(2 * np.pi * count * along)
    elif index % 4 == 1:
        value = (np.floor(count * along) + np.floor(count * across)) % 2
    elif index % 4 == 2:
        value = 0.5 + 0.5 * np.sin(2 * np.pi * count * np.hypot(x - rng.uniform(), y - rng.uniform()))
    else:
        waves = sum(np.sin(2 * np.pi * (rng.normal(0, 4) * x + rng.normal(0, 4) * y) + rng.uniform(0, 7)) for _ in range(8))
        value = 0.5 + 0.5 * np.sin(2 * np.pi * (along + 0.2 * waves))
    one, other = rng.integers(0, 256, (2, 3))
    return Image.fromarray((one + value[..., None] * (other - one)).astype(np.uint8))


def screenshot(rng, index):
    """A window with a bar, a list at its side, and lines of letters, in light and dark."""
    ground, ink = ((250, 250, 250), (30, 30, 30)) if index % 2 else ((30, 32, 38), (220, 220, 220))
    picture = Image.new("RGB", (2 * SIDE, SIDE + SIDE // 2), ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 2 * SIDE, 28), fill=tuple(int(v) for v in rng.integers(60, 200, 3)))
    draw.rectangle((0, 28, 140, 2 * SIDE), fill=tuple(int(v) for v in rng.integers(90, 160, 3)))
    letters = "abcdefghijklmnopqrstuvwxyz      (){}=.,0123456789"
    for line in range(30):
        words = "".join(letters[int(i)] for i in rng.integers(0, len(letters), rng.integers(0, 70)))
        draw.text((150, 36 + 14 * line), words, fill=ink)
        draw.text((10, 36 + 14 * line), words[:14], fill=(255, 255, 255))
    return picture


def others(out):
    makers = {"noise": noise, "textures": texture, "screenshots": screenshot}
    for number, (name, make) in enumerate(makers.items()):
        (out / name).mkdir(parents=True)
        for index in range(DRAWN):
            make(np.random.default_rng([number, index]), index).save(out / name / f"{index:02}.png")
    (out / "pictures").mkdir()
    shipped(out / "pictures")


def without(data, gone, out):
    """The parts stay as they are in the split: none is drawn anew."""
    with open(data / "manifest.csv", newline="", encoding="utf-8") as handle:
        rows = [(row["photo"], row["class"], row["split"]) for row in csv.DictReader(handle) if row["class"] != gone]
    with open(out, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("path", "label", "split"), *rows])


def found(out, pattern):
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(pattern))]


def mean(numbers, digits=3):
    middle, deviation = spread(numbers)
    return f"{middle:.{digits}f} ± {deviation:.{digits}f}"


def ends(values, interval, digits=3):
    return f"{values:.{digits}f} ({interval[0]:.{digits}f}–{interval[1]:.{digits}f})"


def calibration(out, name):
    print("\n| seed | temperature (95 %) | calibration error raw (95 %) | calibrated (95 %) | Brier raw | calibrated | accuracy % |")
    print("|---|---|---|---|---|---|---|")
    for seed, result in enumerate(found(out, f"{name}-[0-9].told")):
        trust = result["trust"]
        t, raw, own = trust["temperature"], trust["raw"], trust["calibrated"]
        error = [ends(one["calibration_error"], one["calibration_error_interval_95"]) for one in (raw, own)]
        row = [str(seed), ends(t["value"], (t["low"], t["high"]), 2), *error, f"{raw['brier']:.3f}", f"{own['brier']:.3f}"]
        print("| " + " | ".join([*row, f"{100 * result['accuracy']:.1f}"]) + " |")


def coverage(out, name):
    print("\n| sets | asked % | covered %, each seed (95 %) | all % | classes a set | single % | lowest of a class % |")
    print("|---|---|---|---|---|---|---|")
    told = [one for result in found(out, f"{name}-[0-9].told") for one in result["sets"]]
    for sets, asked in sorted({(one["sets"], one["asked"]) for one in told}, key=lambda kind: ("lac aps by-class".index(kind[0]), kind[1])):
        own = [one for one in told if (one["sets"], one["asked"]) == (sets, asked)]
        each = ", ".join("{:.1f} ({:.1f}–{:.1f})".format(*(100 * v for v in (one["found"], *one["interval_95"]))) for one in own)
        all_, size, single = (sum(one[key] for one in own) / len(own) for key in ("found", "mean_size", "single"))
        lowest = 100 * min(min(one["by_class"]) for one in own)
        print(f"| {sets} | {100 * asked:.0f} | {each} | {100 * all_:.1f} | {size:.2f} | {100 * single:.0f} | {lowest:.0f} |")


def unknown(out, name):
    left_out = [one for result in found(out, f"{name}-without-*.told") for one in result["others"].values()]
    told = {"each class left out in turn": left_out}
    for result in found(out, f"{name}-[0-9].told"):
        for folder, one in result["others"].items():
            told.setdefault(Path(folder).name, []).append(one)
    print("\n| others | photos | score | AUROC, mean ± sd | each (95 %) | FPR95, mean ± sd | each (95 %) | called unknown % |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, results in told.items():
        photos = ", ".join(sorted({str(one["photos"]) for one in results}, key=int))
        called = 100 * sum(one["called_unknown"] for one in results) / max(1, sum(one["photos"] for one in results))
        for place in range(3 if results else 0):
            scores = [one["scores"][place] for one in results]
            columns = []
            for key in ("auroc", "fpr95"):
                columns += [mean([score[key] for score in scores]), ", ".join(ends(s[key], s[f"{key}_interval_95"], 2) for s in scores)]
            first = [kind, photos] if place == 0 else ["", ""]
            print("| " + " | ".join([*first, scores[0]["score"], *columns, f"{called:.0f}" if place == 0 else ""]) + " |")
    alarms = [100 * result["trust"]["false_alarms"]["found"] for result in found(out, f"{name}-[0-9].told")]
    if alarms:
        print(f"\nTest photos of known classes called unknown: {mean(alarms, 1)} %, asked for 5 %.")


def main():
    what, first, *rest = sys.argv[1:]
    if what == "--others":
        others(Path(first))
    elif what == "--without":
        without(Path(first), rest[0], Path(rest[1]))
    else:
        for table in (calibration, coverage, unknown):
            table(Path(first), rest[0])


if __name__ == "__main__":
    main()
