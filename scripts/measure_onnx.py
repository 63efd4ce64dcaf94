"""Measures petal's ONNX files by ONNX Runtime: how near their answers are to petal's own, how good they are with fewer bits, how fast.

    python scripts/measure_onnx.py networks                         every network, random weights, on the reference picture
    python scripts/measure_onnx.py model MODEL TRAIN VAL TEST       a model of yours, on folders of photos, one a class

Needs numpy, onnx, onnxruntime and Pillow, which requirements-dev.txt has; `--petal FILE` is the command, default target/release/petal.
It fails where an answer is further from petal's than docs/ONNX.md says. rten's are measured by the tests:
`cargo test --test suite onnx -- --nocapture | grep rten`.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from PIL import Image, ImageOps

TOLERANCE = 1e-4
NETWORKS = ["resnet18", "resnet50", *(f"efficientnet-lite{size}" for size in range(5)), "mobilenetv4-conv-medium"]
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def petal(options, *arguments):
    """What the command says as JSON."""
    done = subprocess.run([options.petal, *arguments, "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"petal {' '.join(map(str, arguments))}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def session(path):
    """The file, checked, ready to run on one thread."""
    onnx.checker.check_model(str(path), full_check=True)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


def reference(path):
    """How far a file's answer to the reference picture is from petal's, as a part of the largest logit."""
    told = json.loads(pathlib.Path(f"{path}.json").read_text())
    c, y, x = np.indices(told["shape"][1:])
    images = ((7 * x + 5 * y + 31 * c + x * y) % 256).astype(np.uint8)[None]
    (logits,) = session(path).run(["logits"], {"images": images})
    expected = np.array(told["logits"])
    return np.abs(logits[0] - expected).max() / np.abs(expected).max()


def networks(options):
    """The table of networks: each is trained for one epoch of its head on drawn flowers, below which its weights are random."""
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        common = ["--data", at / "data", "--models", at / "models"]
        petal(options, "download-dataset", "--source", "synthetic", "--per-class", "10", *common)
        petal(options, "split-dataset", *common)
        cases = {name: ["--backbone", name, "--weights", "random", "--epochs-head", "1", "--epochs-tune", "0"] for name in NETWORKS}
        cases["baseline"] = ["--model", "baseline", "--epochs-tune", "1"]
        print("| network | f32 | f16 |\n|---|---|---|")
        for name, settings in cases.items():
            petal(options, "train", *settings, "--run", name, "--replace-model", *common)
            far = []
            for precision in ("f32", "f16"):
                file = at / f"{name}.{precision}.onnx"
                petal(options, "export", "--model", at / "models/runs" / name, "--onnx", file, "--precision", precision, *common)
                far.append(reference(file))
            print(f"| {name} | {far[0]:.0e} | {far[1]:.0e} |", flush=True)
            if far[0] > TOLERANCE:
                sys.exit(f"{name} is further than {TOLERANCE} from petal")


def square(picture, rule):
    """The five lines of docs/ONNX.md."""
    picture = ImageOps.exif_transpose(picture).convert("RGB")
    wide = [int(side * rule["resize"] / min(picture.size)) for side in picture.size]
    left, top = (round((side - rule["size"]) / 2) for side in wide)
    picture = picture.resize(wide, FILTERS[rule["filter"]]).crop((left, top, left + rule["size"], top + rule["size"]))
    return np.asarray(picture).transpose(2, 0, 1)[None]


def photos(folder):
    """Photos of a folder with one folder a class, by class."""
    return [(path, path.parent.name) for path in sorted(pathlib.Path(folder).glob("*/*")) if path.is_file()]


def model(options):
    """The table of one model: files by precision."""
    test, val = photos(options.test), photos(options.val)
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        files = {}
        for precision in ("f32", "f16", "int8"):
            files[precision] = at / f"{precision}.onnx"
            calibrate = ["--calibrate", options.train] if precision == "int8" else []
            petal(options, "export", "--model", options.model, "--onnx", files[precision], "--precision", precision, *calibrate)
        sessions = {precision: session(file) for precision, file in files.items()}
        told = sessions["f32"].get_modelmeta().custom_metadata_map
        classes, rule = json.loads(told["classes"]), json.loads(told["preprocess"])
        pixel_by_pixel(options, at, test[:: max(1, len(test) // 100)][:100], rule, sessions["f32"])
        answers = {precision: {} for precision in sessions}
        milliseconds = {precision: [] for precision in sessions}
        for path, _ in val + test:
            images = square(Image.open(path), rule)
            for precision, one in sessions.items():
                start = time.perf_counter()
                (probabilities,) = one.run(["probabilities"], {"images": images})
                milliseconds[precision].append(1000 * (time.perf_counter() - start))
                answers[precision][path] = probabilities[0]
        said = petal(options, "predict", "--model", options.model, *[path for path, _ in val + test])
        own = {pathlib.Path(row["path"]): np.array(row["probabilities"]) for row in said["predictions"]}
        heads = ["val accuracy", "test accuracy", "largest difference of a probability", "other class", "MB", "ms"]
        print("", f"| {' | '.join([f'{len(val)} val and {len(test)} test photos', *heads])} |", "|---" * 7 + "|", sep="\n")
        for name, given in {"petal": own, **answers}.items():
            right = [100 * np.mean([classes[given[path].argmax()] == label for path, label in part]) for part in (val, test)]
            far = max(np.abs(given[path] - own[path]).max() for path, _ in val + test)
            other = sum(given[path].argmax() != own[path].argmax() for path, _ in val + test)
            size = "" if name == "petal" else f"{files[name].stat().st_size / 1e6:.1f}"
            speed = "" if name == "petal" else f"{statistics.median(milliseconds[name]):.0f}"
            print(f"| {name} | {right[0]:.1f} % | {right[1]:.1f} % | {far:.4f} | {other} | {size} | {speed} |")


def pixel_by_pixel(options, at, some, rule, one):
    """Squares without loss, of which both sides see the same pixels: what is left is the network."""
    squares, worst = {}, 0
    for number, (path, _) in enumerate(some):
        squares[at / f"{number}.png"] = square(Image.open(path), {**rule, "size": rule["resize"]})
    for path, pixels in squares.items():
        Image.fromarray(pixels[0].transpose(1, 2, 0)).save(path)
    said = petal(options, "predict", "--model", options.model, *squares)
    margin = round((rule["resize"] - rule["size"]) / 2)
    for row in said["predictions"]:
        pixels = squares[pathlib.Path(row["path"])][:, :, margin : margin + rule["size"], margin : margin + rule["size"]]
        (logits,) = one.run(["logits"], {"images": np.ascontiguousarray(pixels)})
        # Logits are known up to what is added to all of them.
        own, theirs = (values - values.mean() for values in (np.log(row["probabilities"]), logits[0].astype(np.float64)))
        worst = max(worst, np.abs(own - theirs).max() / np.abs(own).max())
    print(f"{len(squares)} photos, the same pixels: logits within {worst:.0e} of petal's, relative")
    if worst > TOLERANCE:
        sys.exit(f"that is further than {TOLERANCE}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--petal", default="target/release/petal")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("networks").set_defaults(run=networks)
    one = commands.add_parser("model")
    for name in ("model", "train", "val", "test"):
        one.add_argument(name)
    one.set_defaults(run=model)
    options = parser.parse_args()
    options.petal = pathlib.Path(options.petal).resolve()
    print(f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}, Pillow {Image.__version__}\n")
    options.run(options)


if __name__ == "__main__":
    main()
