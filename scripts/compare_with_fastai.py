"""fastai's `fine_tune` on a split that petal made, from the same weights: its test accuracy and its time.

    python3 -m venv venv && venv/bin/pip install fastai==2.8.12 timm==1.0.31 torch==2.15.0 safetensors
    petal split-dataset --seed 0
    venv/bin/python scripts/compare_with_fastai.py data models/pretrained/FILE [--epochs 5] [--seed 0]

fastai's own defaults: a frozen epoch for the new head, then all layers by one-cycle at rates by depth (base rate 2e-3),
`aug_transforms`, batches of 64, photos at 256 pixels cut to 224; the photos in train/ to learn from, those in val/ to watch,
those in test/ to test, once, at the end.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from fastai.vision.all import (
    CategoryBlock,
    DataBlock,
    GrandparentSplitter,
    ImageBlock,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    get_image_files,
    parent_label,
    set_seed,
    vision_learner,
)
from safetensors.torch import load_file

NETWORK = "tf_efficientnet_lite0"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.time()
    set_seed(options.seed, reproducible=True)
    photos = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_items=lambda folder: get_image_files(folder, folders=["train", "val"]),
        splitter=GrandparentSplitter(train_name="train", valid_name="val"),
        get_y=parent_label,
        item_tfms=Resize(256),
        # Its weights were trained with these.
        batch_tfms=[*aug_transforms(size=224), Normalize.from_stats([0.5] * 3, [0.5] * 3)],
    )
    loaders = photos.dataloaders(options.data, bs=64, num_workers=0)
    learner = vision_learner(loaders, NETWORK, metrics=accuracy, pretrained=False, normalize=False)
    weights = {name: tensor.float() for name, tensor in load_file(options.weights).items()}
    body = learner.model[0].model
    missing, unexpected = body.load_state_dict(weights, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or any(not name.startswith("classifier") for name in unexpected):
        raise SystemExit(f"these weights are another network's: {missing} are missing, {unexpected} unknown")
    learner.fine_tune(options.epochs)
    test = loaders.test_dl(get_image_files(options.data / "test"), with_labels=True)
    probabilities, labels = learner.get_preds(dl=test)
    right = (probabilities.argmax(1) == labels).float().mean().item()
    result = {
        "test_accuracy": right,
        "test_photos": len(labels),
        "val_accuracy": learner.validate()[1],
        "epochs": options.epochs,
        "seconds": round(time.time() - start, 1),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(result))


main()
