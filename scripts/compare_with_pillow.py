"""Compares petal with Pillow, file by file, on any folder: which files each reads, and how near the features of what they read are.

    python scripts/compare_with_pillow.py FOLDER [--petal target/debug/petal] [--least 0.99]
    python scripts/compare_with_pillow.py FOLDER --damage 14     the same on damaged copies of the first 14 pictures of each format: who finds it?

Needs Pillow and numpy (`pip install pillow numpy`). Pillow's pictures are turned upright, laid on white, written as PNG, and embedded by
petal too, with
EfficientNet-Lite0; the cosine is that of the two features. All that differs is listed. It fails if petal does, or takes longer than ten minutes.
"""

import argparse
import collections
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from PIL import Image, ImageOps

FORMATS = ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF"]
SECONDS = 600


def by_pillow(path):
    """What Pillow makes of a file: its format and an RGB picture, or why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as opened:
                kind = opened.format
                try:
                    opened.load()
                    picture = ImageOps.exif_transpose(opened)
                    if picture.mode.startswith("I"):
                        # Pillow's convert would cut 16 bits off at 255; its RGB of 16 bits keeps the upper eight.
                        values = np.asarray(picture).astype(np.int64)
                        clear = values == picture.info.get("transparency", -1)
                        upper = values >> 8 if values.max() > 255 or picture.mode != "I" else values
                        picture = Image.fromarray(np.where(clear, 255, upper).clip(0, 255).astype(np.uint8))
                    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
                        picture = picture.convert("RGBA")
                        ground = Image.new("RGBA", picture.size, "white")
                        picture = Image.alpha_composite(ground, picture)
                    return kind, picture.convert("RGB"), None
                except Exception as cause:
                    return kind, None, f"{type(cause).__name__}: {cause}"
    except Exception as cause:
        return None, None, f"{type(cause).__name__}: {cause}"


def by_petal(petal, folder, out):
    """The features of each file below a folder that petal reads, and why it does not read the others; by their names in it."""
    command = [petal, "embed", "--json", "--backbone", "efficientnet-lite0", "--weights", "embedded", "--out", out, folder]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        sys.exit(f"petal ended with status {done.returncode}: {done.stderr.decode()[:2000]}")
    said = json.loads(done.stdout)
    content = pathlib.Path(out).read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    start, end = json.loads(content[8 : 8 + length])["features"]["data_offsets"]
    values = np.frombuffer(content[8 + length :][start:end], "<f4").reshape(said["shape"])
    refused = {str(pathlib.Path(bad["path"]).relative_to(folder)): bad["error"] for bad in said["unreadable"]}
    return dict(zip(said["files"], values, strict=True)), refused


def damage(folder, count, into):
    """Writes copies of pictures that Pillow reads: cut to 10, 40, 70, 90 and 98 %, and with eight bytes replaced at four places behind the
    first quarter."""
    taken, chance = collections.Counter(), random.Random(5)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        kind, picture, _ = by_pillow(path) if 400 < len(content) < 400_000 else (None, None, None)
        if not picture or kind not in FORMATS or taken[kind] == count:
            continue
        taken[kind] += 1
        for percent in (10, 40, 70, 90, 98):
            pathlib.Path(into, f"{kind}_{path.stem}_{percent}").write_bytes(content[: len(content) * percent // 100])
        for place in range(4):
            at = chance.randrange(len(content) // 4, len(content) - 8)
            pathlib.Path(into, f"{kind}_{path.stem}_{place}").write_bytes(content[:at] + chance.randbytes(8) + content[at + 8 :])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--petal", default="target/debug/petal")
    parser.add_argument("--least", type=float, default=0.99)
    parser.add_argument("--damage", type=int, metavar="COUNT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as damaged:
        if options.damage:
            damage(options.folder, options.damage, damaged)
            options.folder = pathlib.Path(damaged)
        compare(options)


def compare(options):
    paths = sorted(str(path.relative_to(options.folder)) for path in options.folder.rglob("*") if path.is_file())
    counts = collections.defaultdict(collections.Counter)
    lists = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        features, refused = by_petal(options.petal, options.folder, f"{scratch}/petal.safetensors")
        pictures = {}
        made = pathlib.Path(scratch, "made")
        made.mkdir()
        for number, path in enumerate(paths):
            kind, picture, why = by_pillow(options.folder / path)
            mine = path in features
            kind = kind or "not a picture to Pillow"
            case = ("both" if mine else "Pillow alone") if picture else ("petal alone" if mine else "neither")
            counts[kind][case] += 1
            if case == "petal alone" or case == "Pillow alone" and kind in FORMATS:
                lists[case].append((kind, path, refused.get(path) or why))
            if case == "both":
                pictures[path] = f"{number:06}.png"
                picture.save(made / pictures[path], compress_level=1)
        theirs, _ = by_petal(options.petal, made, f"{scratch}/pillow.safetensors") if pictures else ({}, {})
    cosines = {}
    for path, png in pictures.items():
        a, b = features[path].astype(np.float64), theirs[png].astype(np.float64)
        cosines[path] = float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))
    cases = ["both", "Pillow alone", "petal alone", "neither"]
    print(f"{len(paths)} files, Pillow {Image.__version__}\n\n{'':24}" + "".join(f"{case:>14}" for case in cases))
    for kind in sorted(counts, key=lambda kind: (kind not in FORMATS, kind)):
        print(f"{kind:24}" + "".join(f"{counts[kind][case]:14}" for case in cases))
    low = sorted((value, path) for path, value in cosines.items() if value < options.least)
    print(f"\ncosine of the features: at least {min(cosines.values(), default=1):.4f}; below {options.least}: {len(low)}")
    for value, path in low:
        print(f"  {value:.4f}  {path}")
    for case, files in lists.items():
        print(f"\nread by {case}: {len(files)}")
        for kind, path, why in sorted(files):
            print(f"  {kind:6} {path}: {why}")


if __name__ == "__main__":
    main()
