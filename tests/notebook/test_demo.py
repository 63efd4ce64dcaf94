"""The committed notebooks from top to bottom, offline, on drawn photos."""

from pathlib import Path

import nbformat
import run
from cells import NOTEBOOK, ROOT
from session import Kernel

DEMO = {"PETAL_RECIPE": "demo", "HF_HUB_OFFLINE": "1"}


def test_f54_the_notebook_runs_as_a_demo_offline_with_a_space_and_an_umlaut_in_its_path(folder: Path) -> None:
    """The committed notebook, offline, in a project folder of its own; every cell shows what it must."""
    assert " " in str(folder) and "ø" in str(folder)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    silent = [cell.source for cell in cells if not cell.metadata.get("petal", {}).get("expects")]
    assert len(cells) >= 15 and len(silent) <= 1, f"{len(cells)} code cells; these declare nothing to show: {silent}"
    with Kernel(folder, DEMO) as kernel:
        run.execute(cells, kernel)


def test_the_notebook_for_own_photos_runs_as_a_demo(folder: Path) -> None:
    """The second notebook, offline, on a folder of drawn photos; nothing is written among the photos or into the repository's project."""
    notebook = nbformat.read(ROOT / "notebooks" / "your_own_photos.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    silent = [cell.source for cell in cells if not cell.metadata.get("petal", {}).get("expects")]
    assert len(cells) >= 12 and len(silent) <= 1, f"{len(cells)} code cells; these declare nothing to show: {silent}"
    with Kernel(folder, DEMO) as kernel:
        run.draw_photos(kernel, 24)
        photos = folder.parent / "my_photos"
        before = sorted(photos.rglob("*"))
        run.execute(cells, kernel)
    assert sorted(photos.rglob("*")) == before, "the photos' folder was changed"
    classifier = folder.parent / "my_classifier"
    for made in ("my_model.safetensors", "predictions.csv", "data/manifest.csv"):
        assert (classifier / made).is_file(), f"{made} is missing"
    (page,) = classifier.glob("models/runs/*/report.html")
    assert "<script" not in page.read_text(encoding="utf-8")
