"""ONNX files as ONNX's own library and ONNX Runtime see them: whole, with a shape for each tensor, and with petal's answers."""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]

# One of each family, with odd sizes where it takes any: what it is trained by, its side.
NETWORKS = {
    "resnet18": (["--backbone", "resnet18", "--weights", "random"], 65),
    "resnet50": (["--backbone", "resnet50", "--weights", "random"], 64),
    "efficientnet-lite0": (["--backbone", "efficientnet-lite0", "--weights", "embedded"], 97),
    "mobilenetv4": (["--backbone", "mobilenetv4-conv-medium", "--weights", "random"], 75),
    "baseline": (["--model", "baseline"], 45),
}


@pytest.fixture(scope="module")
def petal(tmp_path_factory):
    """Runs the command in a folder with drawn flowers that are split; gives what it says as JSON, or why it failed."""
    subprocess.run(["cargo", "test", "--locked", "--quiet", "--test", "suite", "--no-run"], cwd=ROOT, check=True)
    command = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug/petal"
    folder = tmp_path_factory.mktemp("onnx")

    def run(*arguments, fails=False):
        done = subprocess.run([command, *map(str, arguments), "--json"], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == int(fails), done.stderr
        return done.stderr if fails else json.loads(done.stdout)

    run("download-dataset", "--source", "synthetic", "--per-class", "12")
    run("split-dataset")
    run.folder = folder
    return run


@pytest.fixture(scope="module", params=list(NETWORKS))
def trained(petal, request):
    """The name of a run of each network: an epoch of its head on drawn flowers."""
    how, side = NETWORKS[request.param]
    epochs = ["--epochs-tune", 1] if request.param == "baseline" else ["--epochs-head", 1, "--epochs-tune", 0]
    petal("train", *how, *epochs, "--set", f"image_size={side}", "--run", request.param, "--replace-model")
    return request.param


def read(path):
    """A file that ONNX's own library has read and checked, and that says the shapes which that library infers."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    said = {info.name: shape(info) for info in model.graph.value_info}
    bare = onnx.ModelProto.FromString(model.SerializeToString())
    del bare.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True)
    assert said == {info.name: shape(info) for info in inferred.graph.value_info}
    # Nothing that flows is without a shape: the nodes' outputs are told, but for the two that are the graph's.
    made = {name for node in model.graph.node for name in node.output}
    assert made == {*said, "logits", "probabilities"}
    return model


def shape(info):
    """Lengths and names of a tensor's dimensions, before it the type."""
    tensor = info.type.tensor_type
    return [tensor.elem_type, *(dimension.dim_param or dimension.dim_value for dimension in tensor.shape.dim)]


def answers(path, images):
    """Logits and probabilities."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits", "probabilities"], {"images": images})


def reference(path):
    """What stands beside a file, and the picture that it is of."""
    told = json.loads(Path(f"{path}.json").read_text())
    c, y, x = np.indices(told["shape"][1:])
    return told, ((7 * x + 5 * y + 31 * c + x * y) % 256).astype(np.uint8)[None]


def far(got, expected):
    """The largest difference, as a part of the largest expected number."""
    return np.abs(got - np.array(expected)).max() / np.abs(expected).max()


def test_every_family_is_whole_and_says_what_petal_says(petal, trained):
    for precision, pictures in [("f32", "u8"), ("f32", "f32"), ("f16", "u8")]:
        file = petal.folder / f"{trained}.{precision}.{pictures}.onnx"
        petal("export", "--model", trained, "--onnx", file, "--precision", precision, "--input", pictures)
        side = NETWORKS[trained][1]
        model = read(file)
        assert model.opset_import[0].version >= 17
        assert shape(model.graph.input[0])[1:] == ["N", 3, side, side]
        assert [shape(output) for output in model.graph.output] == [[onnx.TensorProto.FLOAT, "N", 5]] * 2
        told, picture = reference(file)
        if pictures == "f32":
            picture = picture.astype(np.float32)
        logits, probabilities = answers(file, picture)
        off = far(logits[0], told["logits"])
        print(f"{trained} {side} px, {precision}, {pictures} pictures: {off:.0e}")
        assert off < told["tolerance"] <= (1e-4 if precision == "f32" else 1e-2)
        assert far(probabilities[0], told["probabilities"]) < told["tolerance"]
        # Three at once are each as alone.
        others = np.concatenate([255 - picture, picture, picture[..., ::-1]])
        assert far(answers(file, others)[0][1], logits[0]) < 1e-5


def test_int8_is_computed_in_whole_numbers(petal):
    petal("train", *NETWORKS["efficientnet-lite0"][0], "--epochs-head", 1, "--epochs-tune", 0, "--run", "whole", "--replace-model")
    petal("export", "--model", "whole", "--onnx", "int8.onnx", "--precision", "int8")
    model = read(petal.folder / "int8.onnx")
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    weights = [node.input[1].removesuffix(".f32") for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(weights) > 45 and all(stored[name] == onnx.TensorProto.INT8 for name in weights)
    # ONNX Runtime makes whole-number convolutions of all of them.
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    settings.optimized_model_filepath = str(petal.folder / "optimized.onnx")
    onnxruntime.InferenceSession(petal.folder / "int8.onnx", settings, providers=["CPUExecutionProvider"])
    ops = [node.op_type for node in onnx.load(petal.folder / "optimized.onnx").graph.node]
    assert ops.count("QLinearConv") == sum(node.op_type == "Conv" for node in model.graph.node), sorted(set(ops))
    told, picture = reference(petal.folder / "int8.onnx")
    assert "tolerance" not in told
    assert far(answers(petal.folder / "int8.onnx", picture)[0][0], told["logits"]) < 0.2
    (petal.folder / "none").mkdir()
    nothing = ["--precision", "int8", "--calibrate", "none"]
    assert "there are no photos" in petal("export", "--model", "whole", "--onnx", "x.onnx", *nothing, fails=True)


def test_the_page_s_five_lines_do_what_predict_does(petal):
    petal("train", *NETWORKS["efficientnet-lite0"][0], "--epochs-head", 1, "--epochs-tune", 0, "--run", "page", "--replace-model")
    petal("export", "--model", "page", "--onnx", "flowers.onnx")
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs/ONNX.md").read_text(), re.DOTALL)[1]
    # Upright and lying, turned by their EXIF data, grey.
    with Image.open(ROOT / "tests/fixtures/photos/rgb.jpg") as small:
        big = small.resize((640, 427))
    (petal.folder / "photos").mkdir()
    for name, photo in {"wide": big, "tall": big.transpose(Image.Transpose.ROTATE_90), "grey": big.convert("L")}.items():
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "wide" else 1
        photo.save(petal.folder / f"photos/{name}.jpg", quality=90, exif=exif)
    said = {Path(row["path"]).name: row["probabilities"] for row in petal("predict", "--model", "page", "photos")["predictions"]}
    assert len(said) == 3
    for name, expected in said.items():
        here = code.replace("flowers.onnx", str(petal.folder / "flowers.onnx")).replace("photo.jpg", str(petal.folder / f"photos/{name}"))
        found = {}
        exec(here, found)
        off = np.abs(found["probabilities"][0] - np.array(expected)).max()
        print(f"{name}: probabilities within {off:.1e}")
        # Measured on real photos: docs/ONNX.md.
        assert off < 0.02, name
