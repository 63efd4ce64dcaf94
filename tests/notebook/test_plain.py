"""The notebooks run under a plain evcxr_jupyter as well: without displays that grow and without widgets, with text in their place.

PETAL_PLAIN_EVCXR names one: `cargo install evcxr_jupyter --version 0.22.0 --locked --root FOLDER` makes FOLDER/bin/evcxr_jupyter.
"""

import os
from pathlib import Path

import nbformat
import pytest
import run
from cells import NOTEBOOK, well
from session import Kernel
from test_demo import DEMO

PLAIN = os.environ.get("PETAL_PLAIN_EVCXR")


@pytest.mark.skipif(not PLAIN, reason="PETAL_PLAIN_EVCXR is not set")
def test_the_notebook_runs_under_a_plain_evcxr(folder: Path) -> None:
    """Every cell shows what it must."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with Kernel(folder, DEMO) as kernel:
        assert not kernel.exact, "this is petal-kernel"
        well(kernel, 'println!("{:?}", std::env::var("PETAL_KERNEL"));')
        run.execute(cells, kernel)


@pytest.fixture(autouse=True)
def only_here(monkeypatch) -> None:
    """Kernels of these tests are plain ones."""
    if PLAIN:
        monkeypatch.setenv("PETAL_PLAIN_EVCXR", PLAIN)
