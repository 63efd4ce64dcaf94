"""pytest's set-up for the notebook's tests."""

from pathlib import Path

import pytest
from cells import project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The `notebooks/` of a new project."""
    return project(tmp_path)
