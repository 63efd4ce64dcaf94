"""What only the real kernel can show: cells that are compiled one by one, kernels side by side."""

import re
import threading
import traceback
from pathlib import Path

import metadata
from cells import DEP, OPEN, ROOT, SMALL, live_folders, well
from session import Kernel


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
        shown = well(kernel, 'for var in [&x, &y] { println!("{:?}", gradients.get(var).unwrap().to_vec1::<f32>()?); }').split("\n")
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


def test_a_type_that_cannot_be_told_costs_no_minutes(folder: Path) -> None:
    """Types of petal, Candle and the standard library are told; where none can be, the compiler says so at once."""
    with Kernel(folder) as kernel:
        well(kernel, DEP + "\nuse petal::prelude::*;")
        well(kernel, "let tensor = petal::candle::Tensor::new(&[1f32, 2.0], &petal::candle::Device::Cpu)?;")
        well(kernel, 'let counts = std::collections::BTreeMap::from([(String::from("a"), tensor.dims().to_vec())]);')
        assert well(kernel, 'println!("{counts:?}");') == '{"a": [2]}\n'
        result = kernel.run("let unknown = Default::default();")
        assert "Default" in (result.problem() or ""), result
        # Checking all dependencies anew takes minutes.
        assert result.seconds < 60, f"{result.seconds:.0f} s"


def test_rust_analyzer_reads_what_cells_meet() -> None:
    """Not what petal is made of, but for its interface; all of what else a notebook depends on."""
    needs = {
        "ctx": ["petal_notebook", "ndarray"],
        "petal_notebook": ["petal"],
        "petal": ["candle-core", "rayon", "ureq"],
        "candle-core": ["gemm"],
        "ndarray": ["rayon"],
        "rayon": ["crossbeam"],
        "gemm": [],
        "ureq": [],
        "crossbeam": [],
    }
    nodes = [{"id": name, "dependencies": uses, "deps": [{"pkg": use} for use in uses]} for name, uses in needs.items()]
    packages = [{"id": name, "name": name} for name in needs]
    read = metadata.pruned({"packages": packages, "workspace_members": ["ctx"], "resolve": {"nodes": nodes, "root": None}})
    names = {package["name"] for package in read["packages"]}
    assert names == {"ctx", "petal_notebook", "petal", "candle-core", "ndarray", "rayon", "crossbeam"}, names
    named = {name for node in read["resolve"]["nodes"] for name in node["dependencies"]}
    assert named < names and {node["id"] for node in read["resolve"]["nodes"]} == names, read


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


def packages(lock: Path) -> set:
    return set(re.findall(r'name = "(.+)"\nversion = "(.+)"', lock.read_text(encoding="utf-8")))
