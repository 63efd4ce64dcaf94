"""pytest's set-up for the notebook's tests."""

from pathlib import Path

import pytest
from cells import project


@pytest.fixture(autouse=True)
def petals_kernel(monkeypatch) -> None:
    """All tests are of petal-kernel; test_plain.py says otherwise for its own."""
    monkeypatch.delenv("PETAL_PLAIN_EVCXR", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The `notebooks/` of a new project."""
    return project(tmp_path)
