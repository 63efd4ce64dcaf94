"""What only the real kernel can show. Run by scripts/test.sh in the repository's .venv; prints each test and `N passed, N failed`.

    main.py [WORD]        all tests, or those with WORD in their name
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "kernel"))

import bleach
import metadata
import nbformat
import run
import workspace
from nbconvert import HTMLExporter
from session import Kernel

DEP = ':dep petal = { package = "petal_notebook", path = "kernel" }'
NOTEBOOK = ROOT / "notebooks" / "train_and_eval.ipynb"


def test_ids_and_gradients_are_right_across_cells(folder: Path) -> None:
    """One cell makes a variable, another makes one more, a third goes backwards through both: d(x·x·y)/dx = 2xy, d/dy = x²."""
    with Kernel(folder) as kernel:
        for cell in (DEP, "use petal::prelude::*;\nuse petal::candle::{Device, Tensor, Var};"):
            well(kernel, cell)
        well(kernel, 'let project = Project::open("..")?;')
        well(kernel, "let x = Var::new(&[3f32, -2.0], &Device::Cpu)?;")
        well(kernel, "let y = Var::new(&[5f32, 7.0], &Device::Cpu)?;")
        well(kernel, "project.check_origin()?;")
        # Were petal linked into each cell, both would be the first tensor of their own copy.
        ids = well(kernel, 'println!("{:?} {:?}", x.id(), y.id());')
        first, second = re.findall(r"TensorId\((\d+)\)", ids)
        assert first != second, f"two variables with one id: {ids}"
        well(kernel, "let loss: Tensor = x.mul(&x)?.mul(&y)?.sum_all()?;")
        well(kernel, "let gradients = loss.backward()?;")
        shown = well(kernel, "for var in [&x, &y] { println!(\"{:?}\", gradients.get(var).unwrap().to_vec1::<f32>()?); }").split("\n")
        assert shown[:2] == ["[30.0, -28.0]", "[9.0, 4.0]"], shown


def test_two_kernels_at_once_do_not_disturb_each_other(folder: Path) -> None:
    """Two kernels compile different cells at the same time; each gets its own answers, and their folders go when they end."""
    answers: dict[str, list] = {"first": [], "second": []}
    folders = set()

    def work(name: str, factor: int) -> None:
        try:
            with Kernel(folder) as kernel:
                both_started.wait(timeout=300)
                folders.update(live_folders())
                well(kernel, f"let mut total = {factor}u64;")
                for step in range(1, 6):
                    answers[name].append(well(kernel, f'total += {factor} * {step}; println!("{name} {{total}}");').strip())
        except BaseException:
            answers[name].append(traceback.format_exc())
            both_started.abort()

    before = live_folders()
    both_started = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=item) for item in (("first", 1), ("second", 1000))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, factor in (("first", 1), ("second", 1000)):
        expected = [f"{name} {factor * (1 + step * (step + 1) // 2)}" for step in range(1, 6)]
        assert answers[name] == expected, f"{name} kernel: {answers[name]}"
    assert len(folders - before) == 2, f"two kernels, and these folders: {folders - before}"
    assert live_folders() <= before, f"left behind: {live_folders() - before}"


def test_a_killed_kernel_leaves_nothing_for_long(folder: Path) -> None:
    """The next kernel removes the folder of one that had no time to."""
    before = live_folders()
    killed = Kernel(folder)
    (left,) = live_folders() - before
    killed.manager.shutdown_kernel(now=True)
    killed.client.stop_channels()
    with Kernel(folder) as kernel:
        well(kernel, "1 + 1")
        assert left not in live_folders(), f"{left} is still there"


def test_versions_are_those_of_the_lock_file(folder: Path) -> None:
    """After a cell with petal, the kernel's lock file has every package in the version that the repository's has."""
    before = live_folders()
    with Kernel(folder) as kernel:
        well(kernel, DEP)
        well(kernel, "use petal::prelude::*;")
        (own,) = live_folders() - before
        ours, theirs = packages(ROOT / "Cargo.lock"), packages(Path(own) / "Cargo.lock")
    strangers = theirs - ours - {("ctx", "1.0.0"), ("lock", "1.0.0")}
    assert not strangers, f"not in Cargo.lock: {sorted(strangers)}"
    assert len(theirs) > 100, f"only {len(theirs)} packages"


def test_training_in_the_background_leaves_the_cells_free(folder: Path) -> None:
    """Other cells run meanwhile, and nothing is printed between them; the learner comes back with what was said."""
    with Kernel(folder, {"PETAL_RECIPE": "demo"}) as kernel:
        for cell in (DEP, "use petal::prelude::*;", 'let project = Project::open("..")?;', "let config = Config::from_env()?;"):
            well(kernel, cell)
        well(kernel, "let splits = Dataset::fetch(&project, &config)?.split(&project, &config)?;")
        # Long enough to be met at work by the cells below.
        well(kernel, "let phase = Phase { epochs: 500, patience: 500, ..Phase::baseline(&config) };")
        well(kernel, "let run = Learner::baseline(&project, &splits, &config)?.fit_in_background(&phase)?;")
        assert well(kernel, 'println!("free");') == "free\n"
        # First it looks at its photos, for a second or so.
        end = time.monotonic() + 60
        while "not begun" in (view := kernel.run("run")).text("text/plain") and time.monotonic() < end:
            time.sleep(0.2)
        assert view.problem() is None and "phase baseline" in view.text("text/plain"), view
        assert "<strong>phase baseline" in view.text("text/html"), view
        assert well(kernel, "println!(\"{}\", run.is_done());") == "false\n"
        well(kernel, "run.stop();")
        said = well(kernel, "let (mut learner, fitted) = run.wait();")
        assert "phase baseline: up to 500 epochs" in said and "stopped; everything is kept" in said, said
        well(kernel, "fitted?;")
        assert "going on after" in well(kernel, "let run = learner.fit_in_background(&phase)?; run.stop(); let (learner, fitted) = run.wait();")


def test_a_type_that_cannot_be_told_costs_no_minutes(folder: Path) -> None:
    """Types of petal, Candle and the standard library are told; where none can be, the compiler says so at once."""
    with Kernel(folder) as kernel:
        well(kernel, DEP + "\nuse petal::prelude::*;")
        well(kernel, "let tensor = petal::candle::Tensor::new(&[1f32, 2.0], &petal::candle::Device::Cpu)?;")
        well(kernel, "let counts = std::collections::BTreeMap::from([(String::from(\"a\"), tensor.dims().to_vec())]);")
        assert well(kernel, 'println!("{counts:?}");') == '{"a": [2]}\n'
        result = kernel.run("let unknown = Default::default();")
        assert "Default" in (result.problem() or ""), result
        # Checking all dependencies anew takes minutes.
        assert result.seconds < 60, f"{result.seconds:.0f} s"


def test_rust_analyzer_reads_what_cells_meet(_folder: Path) -> None:
    """Not what petal is made of, but for its interface; all of what else a notebook depends on."""
    needs = {
        "ctx": ["petal_notebook", "ndarray"], "petal_notebook": ["petal"], "petal": ["candle-core", "rayon", "ureq"],
        "candle-core": ["gemm"], "ndarray": ["rayon"], "rayon": ["crossbeam"], "gemm": [], "ureq": [], "crossbeam": [],
    }
    nodes = [{"id": name, "dependencies": uses, "deps": [{"pkg": use} for use in uses]} for name, uses in needs.items()]
    packages = [{"id": name, "name": name} for name in needs]
    read = metadata.pruned({"packages": packages, "workspace_members": ["ctx"], "resolve": {"nodes": nodes, "root": None}})
    names = {package["name"] for package in read["packages"]}
    assert names == {"ctx", "petal_notebook", "petal", "candle-core", "ndarray", "rayon", "crossbeam"}, names
    named = {name for node in read["resolve"]["nodes"] for name in node["dependencies"]}
    assert named < names and {node["id"] for node in read["resolve"]["nodes"]} == names, read


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


def test_the_checker_refuses_scripts_broken_pictures_and_private_paths(_folder: Path) -> None:
    """Of a cell's stored outputs: what an untrusted notebook doesn't show, and what must not be committed."""
    refused = {
        "script": {"text/html": "<b onclick='x()'>"},
        "no PNG": {"image/png": "bm8gcGljdHVyZQ=="},
        "holds the path": {"text/plain": f"{ROOT}/data"},
    }
    for word, data in refused.items():
        assert word in (stored(data) or ""), f"{data}: {stored(data)}"
    assert stored({"text/html": "<b>one</b>", "image/png": "iVBORw0KGgo=", "text/plain": "data/raw"}) is None


def test_f54_the_notebook_runs_as_a_demo_offline_with_a_space_and_an_umlaut_in_its_path(folder: Path) -> None:
    """The committed notebook, offline, in a project folder of its own; every cell shows what it must."""
    assert " " in str(folder) and "ø" in str(folder)
    os.environ.update(PETAL_RECIPE="demo", HF_HUB_OFFLINE="1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    silent = [cell.source for cell in cells if not cell.metadata.get("petal", {}).get("expects")]
    assert len(cells) >= 15 and len(silent) <= 1, f"{len(cells)} code cells; these declare nothing to show: {silent}"
    with Kernel(folder) as kernel:
        run.execute(cells, kernel)


def test_the_notebook_for_own_photos_runs_as_a_demo(folder: Path) -> None:
    """The second notebook, offline, on a folder of drawn photos; nothing is written among the photos or into the repository's project."""
    os.environ.update(PETAL_RECIPE="demo", HF_HUB_OFFLINE="1")
    notebook = nbformat.read(ROOT / "notebooks" / "your_own_photos.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    silent = [cell.source for cell in cells if not cell.metadata.get("petal", {}).get("expects")]
    assert len(cells) >= 12 and len(silent) <= 1, f"{len(cells)} code cells; these declare nothing to show: {silent}"
    with Kernel(folder) as kernel:
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


# The baseline in small, on few drawn flowers: a training of seconds.
SMALL = """
let config: Config = {
    let epochs = |epochs| PhaseConfig { epochs, patience: 99, learning_rate: 1e-3 };
    Config { source: Source::Synthetic { per_class: 12 }, image_size: 64, batch_size: 8, head: epochs(2), fine_tune: epochs(1), ..Config::demo() }
};
let splits: Splits = Dataset::fetch(&project, &config)?.split(&project, &config)?;
"""
OPEN = 'let project: Project = Project::open("..")?;'


def test_f47_the_stop_button_costs_at_most_an_epoch(folder: Path) -> None:
    """It kills the process with all variables. The same cells again find what was trained, and train the rest."""
    cells = [OPEN, SMALL.replace("head: epochs(2)", "head: epochs(150)"), "let mut learner: Learner = Learner::new(&project, &splits, &config)?;"]
    fit = "learner.fit_head()?;"
    with Kernel(folder) as kernel:
        for cell in [DEP, "use petal::prelude::*;", *cells]:
            well(kernel, cell)
        epochs = []

        def stop(output) -> None:
            epochs.extend(int(number) for number in re.findall(r"^ *(\d+)   +\d", output.get("text", ""), re.MULTILINE))
            if 3 in epochs:
                kernel.on_output = lambda output: None
                kernel.manager.interrupt_kernel()

        kernel.on_output = stop
        problem = kernel.run(fit).problem()
        assert problem and 3 in epochs, f"the cell was not stopped: {problem}, {epochs}"
        gone = kernel.run("learner.history()?.epochs.len()").problem()
        assert gone and "learner" in gone, f"the variables are still there: {gone}"
        for cell in ["use petal::prelude::*;", *cells]:
            well(kernel, cell)
        done = int(re.search(r"\d+", well(kernel, 'println!("{}", learner.history()?.epochs.len());')).group())
        assert 3 <= done < 150, f"{done} epochs were kept, of at least 3"
        said = well(kernel, fit)
        assert f"going on after epoch {done}" in said and "finished: " in said, said


def test_f62_a_changed_cell_trains_and_the_same_one_is_found(folder: Path) -> None:
    """Another learning rate trains anew, and says so; the first one again is found; more epochs go on."""
    with Kernel(folder) as kernel:
        for cell in [DEP, "use petal::prelude::*;", OPEN, SMALL, "let mut learner: Learner = Learner::new(&project, &splits, &config)?;"]:
            well(kernel, cell)
        rows = re.compile(r"^ *\d+ .*%", re.MULTILINE)
        losses = lambda said: [row.split()[1:] for row in rows.findall(re.sub(r" +\d[\d.]* s .*", "", said))]
        first = well(kernel, "learner.fit_head()?;")
        assert "learning rate 1e-3" in first and len(losses(first)) == 2, first
        changed = well(kernel, "learner.fit(&Phase { learning_rate: 3e-2, ..learner.head() })?;")
        for words in ("learning_rate was 0.001, is 0.03", "trains anew", "the earlier result stays in", "learning rate 3e-2", "finished: "):
            assert words in changed, f"{words}: {changed}"
        assert len(losses(changed)) == 2 and losses(changed) != losses(first), (first, changed)
        again = well(kernel, "learner.fit_head()?;")
        assert "finished before with the same settings" in again and not losses(again), again
        more = well(kernel, "learner.fit(&Phase { epochs: 4, ..learner.head() })?;")
        assert "going on after epoch 2" in more and len(losses(more)) == 2, more
        assert well(kernel, 'println!("{}", learner.history()?.epochs.len());') == "4\n"
    assert len(list(folder.parent.glob("models/runs/*/last.safetensors"))) == 2


def test_f49_the_notebook_and_the_command_make_the_same_bytes(folder: Path) -> None:
    """The same settings and photos, through the kernel with petal as a shared library, and through the command."""
    command = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "debug" / "petal"
    assert command.is_file(), f"{command} is missing: cargo build makes it"
    root = folder.parent
    with Kernel(folder) as kernel:
        for cell in [DEP, "use petal::prelude::*;", OPEN, SMALL]:
            well(kernel, cell)
        well(kernel, "let learner: Learner = fine_tune(&project, &splits, &config)?;")
        well(kernel, 'std::fs::write("../petal.toml", config.to_toml())?;')
    (ours,) = root.glob("models/runs/*/best.safetensors")
    arguments = ["train", "--config", "petal.toml", "--models", "other models", "--run", "run"]
    subprocess.run([command, *arguments], cwd=root, check=True)
    theirs = root / "other models" / "runs" / "run" / "best.safetensors"
    assert ours.read_bytes() == theirs.read_bytes(), "the notebook and the command trained two different models"


def test_f50_petal_linked_into_each_cell_is_refused_before_any_training(folder: Path) -> None:
    """Without the shared library each cell has its own statics, and gradients would be wrong without a word."""
    with Kernel(folder) as kernel:
        well(kernel, f':dep petal = {{ path = "{ROOT}", default-features = false }}')
        well(kernel, "use petal::prelude::*;")
        well(kernel, OPEN)
        problem = kernel.run(SMALL + "let learner: Learner = Learner::new(&project, &splits, &config)?;", timeout=900).problem()
        for words in ("another copy of petal", "notebooks/kernel", "restart"):
            assert problem and words in problem, f"{words}: {problem}"
    assert not list(folder.parent.glob("models/runs/*")), "something was trained"


def test_f52_after_a_panic_in_a_cell_the_variables_are_there_and_training_goes_on(folder: Path) -> None:
    """A panic in the middle of a step, while the learner is borrowed: no lock is poisoned, no weights are half set."""
    with Kernel(folder) as kernel:
        for cell in [DEP, "use petal::prelude::*;\nuse std::ops::ControlFlow;", OPEN, SMALL]:
            well(kernel, cell)
        well(kernel, "let mut learner: Learner = Learner::new(&project, &splits, &config)?;")
        panics = 'if matches!(event, petal::train::Event::Step { done: 24, .. }) { panic!("as a cell may") }'
        cell = f"learner.fit_with(&learner.head(), &mut |event| {{ {panics}; ControlFlow::Continue(()) }})?;"
        problem = kernel.run(cell, timeout=900).problem()
        assert problem and "as a cell may" in problem, f"no panic: {problem}"
        well(kernel, "learner.fit_head()?;")
        well(kernel, "learner.fit_upper()?;")
        shown = well(kernel, 'println!("{} photos", learner.evaluate(Split::Test)?.predictions.len());')
        assert "5 photos" in shown, shown
    # To the same bytes as without the panic.
    (run,) = folder.parent.glob("models/runs/*")
    epochs = (run / "history.csv").read_text().splitlines()[1:]
    assert [row.split(",")[:2] for row in epochs] == [["head", "1"], ["head", "2"], ["fine-tune", "3"]], epochs


def test_f53_the_stored_notebook_shows_everything_where_it_is_not_trusted(_folder: Path) -> None:
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


def test_f54_paths_hold_from_any_working_folder(folder: Path) -> None:
    """Everything is found and written below the folder that the project was opened with, wherever the process goes later."""
    with tempfile.TemporaryDirectory() as elsewhere, Kernel(folder) as kernel:
        for cell in [DEP, "use petal::prelude::*;", OPEN]:
            well(kernel, cell)
        well(kernel, f'std::env::set_current_dir("{elsewhere}")?;')
        well(kernel, SMALL)
        well(kernel, "let learner: Learner = train_baseline(&project, &splits, &config)?;")
        well(kernel, 'learner.evaluate(Split::Test)?.confusion_matrix()?.save(project.visualizations.join("matrix.png"))?;')
        assert not os.listdir(elsewhere), f"something was written where the process was: {os.listdir(elsewhere)}"
    for name in ("data/manifest.csv", "models/runs", "visualizations/matrix.png"):
        assert (folder.parent / name).exists(), f"{name} is missing"


def well(kernel: Kernel, code: str) -> str:
    """Runs a cell that must go well; its standard output."""
    result = kernel.run(code, timeout=900)
    print(f"    {result.seconds:5.1f} s  {code.splitlines()[0]}", flush=True)
    problem = result.problem()
    assert problem is None, f"{code}\n{problem}"
    return result.text("stdout")


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


def live_folders() -> set:
    return {str(path) for path in workspace.KERNELS.glob("kernel-*")}


def packages(lock: Path) -> set:
    return set(re.findall(r'name = "(.+)"\nversion = "(.+)"', lock.read_text(encoding="utf-8")))


def project(parent: Path) -> Path:
    """A project folder as the repository is one, with data/ and models/ of its own: its notebooks/."""
    folder = parent / "a prøject" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "evcxr.toml", folder)
    (folder / "kernel").symlink_to(ROOT / "notebooks" / "kernel")
    return folder


def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    passed, failed = 0, []
    for name, test in list(globals().items()):
        if not name.startswith("test_") or word not in name:
            continue
        print(f"\n{name} ...", flush=True)
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as parent:
            try:
                test(project(Path(parent)))
            except Exception:
                traceback.print_exc()
                failed.append(name)
            else:
                passed += 1
        print(f"{name} ... {'FAILED' if name in failed else 'ok'}, {time.monotonic() - start:.0f} s", flush=True)
    print(f"\n{passed} passed, {len(failed)} failed" + "".join(f"\n    {name}" for name in failed))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
