"""Training by cells: stopped, changed, in the background, after a panic, from another folder."""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from cells import DEP, LINES, OPEN, ROOT, SMALL, well
from session import Kernel


def test_training_in_the_background_leaves_the_cells_free(folder: Path) -> None:
    """Other cells run meanwhile, and nothing is printed between them; the learner comes back with what was said."""
    with Kernel(folder, {"PETAL_RECIPE": "demo"}) as kernel:
        for cell in (DEP, LINES, "use petal::prelude::*;", 'let project = Project::open("..")?;', "let config = Config::from_env()?;"):
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
        assert well(kernel, 'println!("{}", run.is_done());') == "false\n"
        well(kernel, "run.stop();")
        said = well(kernel, "let (mut learner, fitted) = run.wait();")
        assert "phase baseline: up to 500 epochs" in said and "stopped; everything is kept" in said, said
        well(kernel, "fitted?;")
        assert "going on after" in well(kernel, "let run = learner.fit_in_background(&phase)?; run.stop(); let (learner, fitted) = run.wait();")


def test_f47_the_stop_button_costs_at_most_an_epoch(folder: Path) -> None:
    """Where the process is ended with all variables, the same cells again find what was trained, and train the rest."""
    cells = [OPEN, SMALL.replace("head: epochs(2)", "head: epochs(150)"), "let mut learner: Learner = Learner::new(&project, &splits, &config)?;"]
    fit = "learner.fit_head()?;"
    with Kernel(folder, {"PETAL_STOP_PATIENCE": "0"}) as kernel:
        for cell in [DEP, LINES, "use petal::prelude::*;", *cells]:
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
        for cell in [LINES, "use petal::prelude::*;", *cells]:
            well(kernel, cell)
        done = int(re.search(r"\d+", well(kernel, 'println!("{}", learner.history()?.epochs.len());')).group())
        assert 3 <= done < 150, f"{done} epochs were kept, of at least 3"
        said = well(kernel, fit)
        assert f"going on after epoch {done}" in said and "finished: " in said, said


def test_f62_a_changed_cell_trains_and_the_same_one_is_found(folder: Path) -> None:
    """Another learning rate trains anew, and says so; the first one again is found; more epochs go on."""
    with Kernel(folder) as kernel:
        for cell in [DEP, LINES, "use petal::prelude::*;", OPEN, SMALL, "let mut learner: Learner = Learner::new(&project, &splits, &config)?;"]:
            well(kernel, cell)
        rows = re.compile(r"^ *\d+ .*%", re.MULTILINE)

        def losses(said: str) -> list:
            return [row.split()[1:] for row in rows.findall(re.sub(r" +\d[\d.]* s .*", "", said))]

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
