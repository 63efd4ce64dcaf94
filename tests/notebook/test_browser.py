"""The notebook in JupyterLab, in a browser, as a person meets it (browser.py). Pictures of what was seen: target/screenshots.

Each step builds on the one before, so after the first that fails the others are skipped. Needs Chromium (chromium.py) and a set-up kernel.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from browser import Visit
from cells import NOTEBOOK, ROOT, project
from lab import Lab

SCREENSHOTS = ROOT / "target" / "screenshots"
STEPS = [name for name in vars(Visit) if re.match(r"(opens|runs|presses|saves|executes|exports|stops)_", name)]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """One project, one JupyterLab and one browser for all steps."""
    if not chromium.program():
        pytest.skip("no Chromium: install it, or name one in PETAL_BROWSER")
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)
    notebooks: Path = project(tmp_path_factory.mktemp("browser"))
    shutil.copy(NOTEBOOK, notebooks)
    lab = Lab(notebooks.parent, SCREENSHOTS / "jupyter.log")
    try:
        with chromium.Chromium() as browser:
            yield Visit(notebooks, lab, browser, SCREENSHOTS)
    finally:
        lab.stop()


@pytest.fixture(scope="module")
def failed() -> list:
    """The steps that failed: one at most."""
    return []


@pytest.mark.parametrize("step", STEPS)
def test_a_person(visit: Visit, failed: list, step: str) -> None:
    if failed:
        pytest.skip(f"after {failed[0]}, which failed")
    try:
        getattr(visit, step)()
    except BaseException:
        failed.append(step)
        if visit.page:
            print(f"The page says: {visit.page.value('document.body.innerText')[-4000:]}")
            visit.see("failed")
        print(f"Jupyter says: {visit.lab.said()[-4000:]}")
        raise
