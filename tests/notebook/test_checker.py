"""What the checker of notebooks (scripts/kernel/run.py) sees, and what it refuses."""

from pathlib import Path

import nbformat
import run
from cells import ROOT
from session import Kernel


def test_the_checker_sees_what_jupyter_does_not(folder: Path) -> None:
    """A failed `?`, a panic, missing output and a compile error are each caught; the kernel answers `ok` to the first two."""
    failing = {
        '"x".parse::<i32>()?;': "invalid digit",
        "let none: Option<u8> = None; none.unwrap();": "unwrap",
        'eprintln!("a warning");': "on stderr: a warning",
        "let a: i32 = true;": "mismatched types",
    }
    with Kernel(folder) as kernel:
        for code, word in failing.items():
            failed = checked(kernel, ["1 + 1", code, "2 + 2"], [["text/plain: ^2$"], [], []])
            assert failed and "cell 2" in failed and word in failed, f"{code}: {failed}"
        assert "expected stdout" in (checked(kernel, ["1 + 1"], [["stdout"]]) or "")
        assert "but it is" in (checked(kernel, ["1 + 1"], [["text/plain: 3"]]) or "")
        assert checked(kernel, ['println!("two"); 1 + 1'], [["text/plain: 2", "stdout: two"]]) is None


def test_the_checker_refuses_scripts_broken_pictures_and_private_paths() -> None:
    """Of a cell's stored outputs: what an untrusted notebook doesn't show, and what must not be committed."""
    refused = {
        "script": {"text/html": "<b onclick='x()'>"},
        "no PNG": {"image/png": "bm8gcGljdHVyZQ=="},
        "holds the path": {"text/plain": f"{ROOT}/data"},
    }
    for word, data in refused.items():
        assert word in (stored(data) or ""), f"{data}: {stored(data)}"
    assert stored({"text/html": "<b>one</b>", "image/png": "iVBORw0KGgo=", "text/plain": "data/raw"}) is None


def checked(kernel: Kernel, sources: list, expects: list) -> str | None:
    """What the checker says of a notebook with these cells; none if it finds it well."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell, expected in zip(cells, expects, strict=True):
        cell.metadata["petal"] = {"expects": expected}
    try:
        run.execute(cells, kernel)
    except run.CellFailed as failed:
        return str(failed)
    return None


def stored(data: dict) -> str | None:
    """What the checker says of a cell that shows this."""
    cell = nbformat.v4.new_code_cell("1 + 1", metadata={"petal": {"expects": list(data)}})
    cell.outputs = [nbformat.v4.new_output("execute_result", data)]
    try:
        run.check_stored([cell])
    except run.CellFailed as failed:
        return str(failed)
    return None
