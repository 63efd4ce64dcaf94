"""The outputs that the committed notebook holds."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import bleach
import nbformat
from cells import NOTEBOOK
from nbconvert import HTMLExporter


def test_f53_the_stored_notebook_shows_everything_where_it_is_not_trusted() -> None:
    """Of the committed outputs nothing is lost where scripts are taken out: an untrusted notebook, an exported page."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs if "data" in output]
    pages = [Page(output.data.get("text/html", "")) for output in outputs]
    pictures, tables = sum(page.pictures for page in pages), sum(page.tables for page in pages)
    assert pictures >= 5 and tables >= 5, f"{pictures} pictures and {tables} tables"
    assert all("text/plain" in output.data for output in outputs), "an output has no plain text"
    problems = lost(notebook)
    assert not problems, "\n".join(problems)
    # The check sees what would be lost.
    for html in ("<script>draw()</script><p>hidden: <b>1</b></p>", "<p>shown<iframe srcdoc='a table'></iframe></p>"):
        cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("execute_result", {"text/html": html})])
        assert lost(nbformat.v4.new_notebook(cells=[cell])), html


class Page(HTMLParser):
    """What a page shows, and what it would run."""

    def __init__(self, page: str):
        super().__init__()
        self.words, self.pictures, self.tables, self.active = [], 0, 0, []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.pictures += tag == "img" and any(name == "src" and value.startswith("data:image/") for name, value in attributes)
        self.tables += tag == "table"
        if tag in ("script", "iframe", "object", "embed") or any(name.startswith("on") for name, _ in attributes):
            self.active.append(tag)

    def handle_data(self, text: str) -> None:
        self.words += text.split()


def lost(notebook) -> list:
    """What an untrusted notebook or an exported page does not show of the outputs, and what would run there."""
    problems = []
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_markdown=True)
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        for output in cell.outputs:
            alone = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
            html = output.get("data", {}).get("text/html", "")
            own, exported = Page(html), Page(exporter.from_notebook_node(alone)[0])
            picture = any(kind.startswith("image/") for kind in output.get("data", {}))
            if exported.active or exported.pictures < picture + own.pictures or exported.tables < own.tables:
                problems.append(f"cell {number}, exported: {exported.pictures} pictures, {exported.tables} tables, would run {exported.active}")
            # Only HTML is sanitized; a picture by itself is shown as it is.
            shown = Page(bleach.clean(html, jupyterlab_tags(), KEPT, protocols={"http", "https", "data"}))
            if (own.words, own.pictures, own.tables) != (shown.words, shown.pictures, shown.tables):
                problems.append(f"cell {number}, untrusted: {own.words} becomes {shown.words}")
    return problems


KEPT = {"*": ["title", "class"], "img": ["src", "alt", "width", "height"], "td": ["colspan"], "th": ["colspan"]}


def jupyterlab_tags() -> set:
    """The tags that JupyterLab leaves of an untrusted output, from its own code."""
    code = next(Path(sys.prefix).glob("share/jupyter/lab/static/jlab_core.*.js")).read_text(encoding="utf-8")
    (tags,) = re.findall(r"allowedTags:(\[[^\]]*\"nobr\"[^\]]*\])", code)
    return set(json.loads(tags))
