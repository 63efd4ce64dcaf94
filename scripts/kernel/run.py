"""Runs a notebook through the real kernel, cell by cell, and checks what each cell shows.

    run.py NOTEBOOK [--out FILE] [--folder DIR] [--update] [--photos N]
    run.py NOTEBOOK --stored

NOTEBOOK       executed in the folder it lies in, or in DIR; stops at the first cell that isn't well and exits with 1
--out FILE     the notebook with its outputs, also where a cell failed
--update       writes the outputs back into NOTEBOOK, if all cells are well; the repository's path is `petal` in them
--photos N     first draws N photos a class into the folder my_photos beside the one it is executed in
--stored       runs nothing: checks the outputs that NOTEBOOK holds

A code cell says in its metadata what it must show: `"petal": {"expects": ["stdout: epoch +1", "text/html", "image/png"]}`.
An entry is `stdout` or a MIME type, and after a colon a regular expression that must be found in it. Nothing may be on stderr.
"""

import argparse
import base64
import html
import re
import signal
import sys
from pathlib import Path

import nbformat
import workspace
from session import Kernel, Result


def main() -> int:
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the kernel is ended, too
    notebook = nbformat.read(arguments.notebook, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    try:
        if arguments.stored:
            check_stored(cells)
        else:
            print("starting the kernel", flush=True)
            with Kernel(arguments.folder or arguments.notebook.resolve().parent) as kernel:
                print(f"started in {kernel.start_seconds:.1f} s", flush=True)
                if arguments.photos:
                    draw_photos(kernel, arguments.photos)
                execute(cells, kernel)
    except CellFailed as failed:
        print(f"{arguments.notebook.name}: {failed}", file=sys.stderr)
        return 1
    finally:
        if arguments.out:
            write(notebook, arguments.out)
    if arguments.update:
        for cell in cells:
            cell.outputs = [without_root(output, project(arguments)) for output in cell.outputs]
        check_portable(cells)
        write(notebook, arguments.notebook)
    return 0


class CellFailed(Exception):
    """A cell isn't well. The text says which, and why."""

    def __init__(self, number: int, cell, problem: str):
        super().__init__(f"cell {number} is not as it should be.\n{indent(cell.source)}\n{problem}")


def execute(cells: list, kernel: Kernel) -> None:
    """Runs the cells and puts what they show into them; raises at the first that isn't well."""
    kernel.on_output = show
    total = 0.0
    for number, cell in enumerate(cells, 1):
        print(f"[{number}/{len(cells)}] {headline(cell)}", flush=True)
        cell.outputs, cell.execution_count = [], None
        result = kernel.run(cell.source)
        cell.outputs, cell.execution_count = result.outputs, result.count
        total += result.seconds
        print(f"[{number}/{len(cells)}] {result.seconds:.1f} s", flush=True)
        check(number, cell, result)
    print(f"{len(cells)} cells, all as they should be, in {total:.0f} s", flush=True)


def draw_photos(kernel: Kernel, per_class: int) -> None:
    """A folder of photos such as a user may have, for a notebook that asks for one."""
    draw = f'petal::data::synthetic::draw_untidy(std::path::Path::new("../my_photos"), {per_class}, petal::Seed(7))?;'
    for code in (':dep petal = { package = "petal_notebook", path = "kernel" }', draw):
        problem = kernel.run(code).problem()
        if problem:
            sys.exit(f"no photos can be drawn: {problem}")


def check_stored(cells: list) -> None:
    for number, cell in enumerate(cells, 1):
        check(number, cell, Result(cell.outputs))
    check_portable(cells)


def check(number: int, cell, result: Result) -> None:
    """Raises unless the cell showed all that it must, and nothing that it must not."""
    problem = result.problem()
    if problem:
        raise CellFailed(number, cell, problem)
    for entry in cell.metadata.get("petal", {}).get("expects", []):
        kind, _, pattern = (part.strip() for part in entry.partition(":"))
        text = result.text(kind)
        if not text.strip():
            raise CellFailed(number, cell, f"expected {kind}, but it showed {kinds(result)}")
        if not re.search(pattern, text):
            raise CellFailed(number, cell, f"expected {kind} with {pattern!r}, but it is\n{indent(text)}")
    if re.search(r"<script|\son\w+\s*=|javascript:", result.text("text/html"), re.IGNORECASE):
        raise CellFailed(number, cell, "its HTML holds a script; outputs of an untrusted notebook must show without")
    png = result.text("image/png")
    if png and not base64.b64decode(png).startswith(b"\x89PNG\r\n\x1a\n"):
        raise CellFailed(number, cell, "its image/png is no PNG file")


def check_portable(cells: list) -> None:
    """What is committed must not tell where it was made."""
    for number, cell in enumerate(cells, 1):
        text = str(cell.outputs)
        for private in {str(workspace.ROOT), str(workspace.CACHE), str(Path.home())} - {"/"}:
            if private in text:
                raise CellFailed(number, cell, f"its output holds the path {private}")


def project(arguments) -> Path:
    """The project that the notebook's `..` is."""
    return arguments.folder.resolve().parent if arguments.folder else workspace.ROOT


def without_root(value, root: Path):
    """The output with `petal` in place of the project's path."""
    if isinstance(value, str):
        for path in (str(root), html.escape(str(root))):
            value = value.replace(path, "petal")
        return value
    if isinstance(value, dict):
        return type(value)({key: without_root(part, root) for key, part in value.items()})
    return [without_root(part, root) for part in value] if isinstance(value, list) else value


def write(notebook, path: Path) -> None:
    """Writes the notebook without what changes from run to run."""
    keep = {"kernelspec": {"display_name": "Rust (petal)", "language": "rust", "name": "petal"}}
    keep["language_info"] = {"file_extension": ".rs", "mimetype": "text/rust", "name": "Rust", "pygment_lexer": "rust"}
    notebook.metadata = nbformat.from_dict(keep)
    code_cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    for cell in notebook.cells:
        for key in set(cell.metadata) - {"petal", "tags"}:
            del cell.metadata[key]
    for number, cell in enumerate(code_cells, 1):
        # evcxr may count what it runs by itself, too.
        for counted in [cell, *cell.outputs]:
            if counted.get("execution_count") is not None:
                counted.execution_count = number
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
    part = path.with_name(path.name + ".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def show(output) -> None:
    """Lines that a cell prints while it runs."""
    if output.output_type == "stream":
        stream = sys.stderr if output.name == "stderr" else sys.stdout
        print(indent(output.text.rstrip("\n")), file=stream, flush=True)


def kinds(result: Result) -> str:
    found = set()
    for output in result.outputs:
        found |= {output.name} if output.output_type == "stream" else set(output.get("data", {}))
    return ", ".join(sorted(found)) or "nothing"


def headline(cell) -> str:
    return next((line for line in cell.source.splitlines() if line.strip()), "")


def indent(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--photos", type=int)
    parser.add_argument("--stored", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
