"""What only the real kernel can show. Run by scripts/test.sh in the repository's .venv; prints each test and `N passed, N failed`.

    main.py [WORD]        all tests, or those with WORD in their name
"""

import os
import re
import shutil
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "kernel"))

import nbformat
import run
import workspace
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


def test_the_notebook_runs_as_a_demo(folder: Path) -> None:
    """The committed notebook, offline, in a project folder of its own; every cell shows what it must."""
    os.environ.update(PETAL_RECIPE="demo", HF_HUB_OFFLINE="1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    silent = [cell.source for cell in cells if not cell.metadata.get("petal", {}).get("expects")]
    assert len(cells) >= 15 and len(silent) <= 1, f"{len(cells)} code cells; these declare nothing to show: {silent}"
    with Kernel(folder) as kernel:
        run.execute(cells, kernel)


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
