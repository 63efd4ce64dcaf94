"""The notebook as a person meets it: in JupyterLab, in a browser, on drawn flowers. What is done in which order, test_browser.py says."""

import contextlib
import html
import json
import os
import re
import time
from pathlib import Path

import nbformat
from cells import NOTEBOOK
from chromium import Chromium, Page
from lab import DEMO, IDLE, Lab, turn
from nbclient import NotebookClient
from nbconvert import HTMLExporter

# What each code cell shows, in JupyterLab and in an exported page alike.
SHOWN = """[...document.querySelectorAll(".jp-Notebook .jp-CodeCell, main .jp-CodeCell")].map(cell => {
    const area = cell.querySelector(".jp-OutputArea");
    const all = name => area ? [...area.querySelectorAll(name)] : [];
    return {
        images: all("img").filter(image => image.complete && image.naturalWidth > 0 && image.getBoundingClientRect().width > 100).length,
        tables: all("table").filter(table => table.rows.length > 0 && table.getBoundingClientRect().height > 10).length,
        widgets: all(".jupyter-widgets").length,
        text: area ? area.textContent : "",
    };
})"""


class Visit:
    """What a person does with one project, step by step."""

    def __init__(self, notebooks: Path, lab: Lab, browser: Chromium, screenshots: Path):
        self.notebooks, self.lab, self.browser, self.screenshots = notebooks, lab, browser, screenshots
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        self.cells = [cell.id for cell in notebook.cells if cell.cell_type == "code"]
        self.page = None
        self.pictures = 0

    def opens_the_notebook(self) -> None:
        self.open("train_and_eval.ipynb")
        self.see("opened")

    def runs_all_and_watches_the_training_grow(self) -> None:
        self.run_all()
        seen = self.watch("baseline-fit", until=lambda seen: len(seen) >= 4 and seen[-1]["pictures"], seconds=900)
        shares = [state["share"] for state in seen if state["share"] is not None]
        assert shares == sorted(shares) and shares[-1] > shares[0], f"the bar went {shares}"
        assert any("left" in state["line"] for state in seen), f"no time left in {[state['line'] for state in seen]}"
        assert self.prompt("baseline-fit") == "[*]:", "it changes while the cell runs"
        self.see("training", "baseline-fit")

    def presses_jupyters_stop(self) -> None:
        self.page.click('document.querySelector(\'[data-command="notebook:interrupt-kernel"], [data-command="kernelmenu:interrupt"]\')')
        self.page.wait(f"{self.output('baseline-fit')}.textContent.includes('stopped; everything is kept')", 120, "the stop")
        self.wait_until_done(120)
        assert self.prompt("learner") == "[ ]:", "the cells behind it did not run"
        self.see("stopped", "baseline-fit")

    def runs_the_cell_again_and_presses_its_button(self) -> None:
        """The variable is still there, and the training goes on; the button below it stops it again."""
        before = self.rows("baseline-fit")
        self.run_cell("baseline-fit")
        button = f"{self.output('baseline-fit')}.querySelector('.jupyter-widgets button, button.jupyter-button')"
        self.page.wait(f"!!{button}", 60, "the button")
        seen = self.watch("baseline-fit", until=lambda seen: len(seen) >= 2, seconds=600)
        assert seen[0]["share"] is not None, seen
        assert "going on after epoch" in self.page.value(f"{self.output('baseline-fit')}.textContent")
        self.see("button", "baseline-fit")
        # A row that comes between aiming and pressing moves the button, as it does for a person, who presses again.
        while self.page.value(f"!!{button} && !{button}.disabled"):
            self.page.click(button)
            time.sleep(1)
        self.page.wait(f"/stopped; everything is kept|finished/.test({self.output('baseline-fit')}.textContent)", 120, "the button's stop")
        self.wait_until_done(120)
        self.page.wait(f"!{button}", 20, "the button's end")
        assert self.rows("baseline-fit") >= before

    def runs_it_once_more_to_its_end(self) -> None:
        self.run_cell("baseline-fit")
        self.wait_until_done(900)
        text = self.page.value(f"{self.output('baseline-fit')}.textContent")
        assert "finished: " in text, text
        assert self.state("baseline-fit")["pictures"], "the curves stay"
        self.see("gone_on", "baseline-fit")

    def runs_all_again_and_sees_everything(self) -> None:
        self.run_all()
        self.wait_until_done(900)
        prompts = [self.prompt(cell) for cell in self.cells]
        assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in prompts), prompts
        for cell in self.cells:
            assert not self.page.value(f"!!{self.output(cell)}.querySelector('[data-mime-type*=stderr]')"), f"{cell} wrote on stderr"
        assert not self.page.errors, self.page.errors
        self.see("history", "history")
        self.see("confusion", "confusion")
        self.see("losses", "losses")

    def presses_the_cleaners_buttons(self) -> None:
        clean = self.output("clean")
        buttons = f"[...{clean}.querySelectorAll('button.jupyter-button')]"

        def press(name: str, place: int) -> None:
            self.page.click(f"{buttons}.filter(button => button.textContent.trim() === '{name}')[{place}]")

        self.page.wait(f"{buttons}.length > 20", 60, "the buttons")
        self.page.wait(f"[...{clean}.querySelectorAll('.widget-html img')].filter(image => image.naturalWidth > 50).length >= 12", 60, "the photos")
        self.see("cleaner", "clean")
        press("drop", 0)
        press("keep", 1)
        self.page.wait(f"{clean}.textContent.includes('; 2 marked')", 30, "two marks")
        press("later", 0)
        self.page.wait(f"{clean}.textContent.includes('photos 13 to')", 30, "the next page")
        press("earlier", 0)
        self.page.wait(f"{clean}.textContent.includes('photos 1 to')", 30, "the page before")
        press("save", 0)
        self.page.wait(f"{clean}.textContent.includes('saved: 2 decisions')", 30, "the decisions")
        decisions = self.notebooks.parent / "data" / "decisions.csv"
        assert len(decisions.read_text(encoding="utf-8").splitlines()) == 3, decisions.read_text(encoding="utf-8")
        self.see("cleaned", "clean")
        # The steps below work on the photos as they are.
        decisions.unlink()

    def saves_it_without_scripts(self) -> None:
        file = self.notebooks / "train_and_eval.ipynb"
        before = file.stat().st_mtime_ns
        self.page.press("s", 83, modifiers=2)
        end = time.monotonic() + 60
        saved = None
        while saved is None:
            assert time.monotonic() < end, "the notebook was not saved"
            time.sleep(0.2)
            if file.stat().st_mtime_ns != before:
                # Jupyter empties the file and writes it anew: until it is whole, it is no notebook.
                with contextlib.suppress(nbformat.reader.NotJSONError):
                    saved = nbformat.read(file, as_version=4)
        self.all_is_shown(self.page, saved)
        assert "<script" not in html_of(saved), "a script was saved"

    def executes_it_with_nbclient(self) -> None:
        """The trainings are found finished; everything else is computed anew."""
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        os.environ.update(DEMO)
        NotebookClient(notebook, timeout=900, kernel_name="petal", resources={"metadata": {"path": str(self.notebooks)}}).execute()
        assert "<script" not in html_of(notebook), "a script"
        nbformat.write(notebook, self.notebooks / "executed.ipynb")

    def exports_it_to_html(self) -> None:
        notebook = nbformat.read(self.notebooks / "executed.ipynb", as_version=4)
        body, _ = HTMLExporter().from_notebook_node(notebook)
        file = self.notebooks / "executed.html"
        file.write_text(body, encoding="utf-8")
        page = self.browser.open(file.as_uri())
        page.wait("document.readyState === 'complete'", 60, "the exported page")
        self.all_is_shown(page, notebook)
        page.screenshot(self.screenshots / "exported.png", whole=True)

    def opens_it_untrusted(self) -> None:
        """JupyterLab hasn't run this file: it cleans its outputs."""
        notebook = nbformat.read(self.notebooks / "executed.ipynb", as_version=4)
        # As if somebody had sent it with a script.
        cell = next(cell for cell in notebook.cells if cell.get("id") == "baseline")
        cell.outputs[0].data["text/html"] += "<script>document.title = 'a script ran'</script>"
        nbformat.write(notebook, self.notebooks / "untrusted.ipynb")
        page = self.open("untrusted.ipynb")
        page.wait("[...document.querySelectorAll('.jp-OutputArea img')].every(image => image.complete)", 60, "the pictures")
        self.all_is_shown(page, notebook)
        assert page.value("document.title") != "a script ran", "a script ran in an untrusted notebook"
        self.see("untrusted_training", "baseline-fit")
        self.see("untrusted", "confusion")

    def stops_at_a_failing_cell(self) -> None:
        """Run All: the cell that fails is shown as failed, and what is behind it does not run."""
        shows = 'println!("before it: {before}");'
        sources = ["let before = 1;", shows, 'Err::<(), String>("nothing works".into())?;', 'println!("behind it: {before}");']
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        metadata = {"kernelspec": {"name": "petal", "display_name": "Rust (petal)", "language": "rust"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), self.notebooks / "failing.ipynb")
        self.cells = [cell.id for cell in cells]
        page = self.open("failing.ipynb")
        self.run_all()
        page.wait(f"{self.output(self.cells[2])}.textContent.includes('nothing works')", 300, "the error")
        self.wait_until_done(60)
        assert [self.prompt(cell) for cell in self.cells] == ["[1]:", "[2]:", "[3]:", "[ ]:"]
        self.see("failed_cell")

    def runs_a_changed_cell(self) -> None:
        """A hint under it names the cell that still shows what was before, until that is run again."""
        changed, shows = self.cells[:2]
        self.page.value("window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource('let before = 2;')")
        self.run_cell(changed)
        self.page.wait(f"{self.output(changed)}.textContent.includes('[2] still shows')", 60, "the hint")
        self.see("stale", changed)
        self.run_cell(shows)
        self.wait_until_done(60)
        assert "before it: 2" in self.page.value(f"{self.output(shows)}.textContent")
        assert "still shows" not in self.page.value(f"{self.output(changed)}.textContent"), "the hint is taken back"

    def open(self, notebook: str) -> Page:
        """Opens a notebook in a tab of its own, and waits until its cells are there and its kernel answers."""
        page = self.page = self.browser.open(self.lab.address(notebook))
        page.wait(f"document.querySelectorAll('.jp-Notebook .jp-CodeCell').length === {len(self.cells)}", 600, "all cells")
        # The toolbar says `idle` also while there is no kernel yet; to run cells then does nothing.
        kernel = "[...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext)?.sessionContext.session?.kernel"
        page.wait(f"(kernel => kernel?.connectionStatus === 'connected' && kernel.status === 'idle')({kernel})", 600, "the kernel")
        # The menus are for the notebook that one has clicked into.
        page.click(f"{self.cell(self.cells[0])}.querySelector('.jp-InputPrompt')")
        page.wait("!!window.jupyterapp.shell.currentWidget?.sessionContext", 60, "the notebook to be the one at hand")
        return page

    def all_is_shown(self, page: Page, notebook) -> None:
        """Every picture and every table of the notebook's outputs is on the page."""
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        shown = page.value(SHOWN)
        assert len(shown) == len(cells), f"{len(shown)} cells are shown, of {len(cells)}"
        images = tables = 0
        for cell, there in zip(cells, shown, strict=True):
            data = [output.data for output in cell.outputs if "data" in output]
            markup = "".join(part.get("text/html", "") for part in data)
            pictures = markup.count("<img") + sum(any(kind.startswith("image/") for kind in part) for part in data)
            # Where widgets live, their photos are there as well.
            assert there["images"] == pictures or (there["widgets"] and there["images"] > pictures), (
                f"{cell.id}: {there['images']} of {pictures} pictures are shown"
            )
            assert there["tables"] == markup.count("<table"), f"{cell.id}: {there['tables']} of {markup.count('<table')} tables"
            title = re.search(r"<strong>(.*?)</strong>", markup)
            if title:
                assert html.unescape(title[1]) in there["text"], f"{cell.id} does not say {title[1]}"
            images, tables = images + pictures, tables + there["tables"]
        assert images >= 8 and tables >= 8, f"only {images} pictures and {tables} tables"

    def run_all(self) -> None:
        item = "[...document.querySelectorAll('.lm-Menu-itemLabel')].find(label => label.textContent === 'Run All Cells')"
        self.page.click("[...document.querySelectorAll('.lm-MenuBar-itemLabel')].find(label => label.textContent === 'Run')")
        self.page.wait(f"!!{item}", 20, "the menu")
        self.page.click(item)

    def run_cell(self, cell: str) -> None:
        self.page.click(f"{self.cell(cell)}.querySelector('.jp-InputPrompt')")
        self.page.press("Enter", 13, modifiers=2)
        self.page.wait(f"{self.cell(cell)}.querySelector('.jp-InputPrompt').textContent === '[*]:'", 20, "the cell")

    def watch(self, cell: str, until, seconds: float) -> list:
        """The training's different states while the cell runs, until they are enough."""
        seen, end = [], time.monotonic() + seconds
        while not (seen and until(seen)):
            state = self.state(cell) if self.prompt(cell) == "[*]:" else None
            if state and state["share"] is not None and (not seen or state != seen[-1]):
                seen.append(state)
                print(f"    {state['share']:.3f}  {state['line']}", flush=True)
            if time.monotonic() > end:
                raise TimeoutError(f"the training under {cell} showed only {seen}, now {state}")
            time.sleep(0.1)
        return seen

    def state(self, cell: str) -> dict | None:
        """What a training's display shows: its line, how full its bar is (none without one), how many pictures."""
        return self.page.value(f"""(() => {{
            const shown = {self.output(cell)}?.querySelector(".jp-RenderedHTML, .jp-RenderedHTMLCommon");
            if (!shown?.querySelector("p")) return null;
            const bar = shown.querySelector("p + div > div");
            return {{
                line: shown.querySelector("p").textContent, share: bar ? parseFloat(bar.style.width) / 100 : null,
                pictures: [...shown.querySelectorAll("img")].filter(image => image.naturalWidth > 500).length,
            }};
        }})()""")

    def rows(self, cell: str) -> int:
        return self.page.value(f"{self.output(cell)}.querySelectorAll('tr').length")

    def wait_until_done(self, seconds: float) -> None:
        time.sleep(1)  # what was just asked for is queued by now
        self.page.wait(IDLE, seconds, "all cells")

    def cell(self, cell: str) -> str:
        return f"document.querySelectorAll('.jp-Notebook .jp-CodeCell')[{self.cells.index(cell)}]"

    def output(self, cell: str) -> str:
        return f"{self.cell(cell)}.querySelector('.jp-OutputArea')"

    def prompt(self, cell: str) -> str:
        return self.page.value(f"{self.cell(cell)}.querySelector('.jp-InputPrompt').textContent")

    def see(self, name: str, cell: str | None = None) -> None:
        """Takes a picture, of this cell in the middle; where nothing runs, one in the dark as well."""
        if cell:
            self.page.value(f"{self.cell(cell)}.scrollIntoView({{block: 'center'}})")
            time.sleep(0.5)
        self.pictures += 1
        self.page.screenshot(self.screenshots / f"{self.pictures:02}_{name}.png")
        if self.page.value(f"!!window.jupyterapp && {IDLE}"):
            turn(self.page, "Dark")
            self.page.screenshot(self.screenshots / f"{self.pictures:02}_{name}_dark.png")
            turn(self.page, "Light")


def html_of(notebook) -> str:
    return json.dumps([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])
