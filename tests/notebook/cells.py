"""What the notebook's tests share: a project, and cells of it."""

import shutil
from pathlib import Path

import workspace
from session import Kernel

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "train_and_eval.ipynb"
DEP = workspace.DEPENDENCY

# The baseline in small, on few drawn flowers: a training of seconds.
SMALL = """
let config: Config = {
    let epochs = |epochs| PhaseConfig::new(epochs, 99, 1e-3);
    Config { source: Source::Synthetic { per_class: 12 }, image_size: 64, batch_size: 8, head: epochs(2), fine_tune: epochs(1), ..Config::demo() }
};
let splits: Splits = Dataset::fetch(&project, &config)?.split(&project, &config)?;
"""
# From here on petal says what it says line by line, as it does under a kernel that shows nothing while a cell runs.
LINES = 'unsafe { std::env::remove_var("PETAL_KERNEL") };'
OPEN = 'let project: Project = Project::open("..")?;'


def well(kernel: Kernel, code: str) -> str:
    """Runs a cell that must go well; its standard output."""
    result = kernel.run(code, timeout=900)
    print(f"    {result.seconds:5.1f} s  {code.splitlines()[0]}", flush=True)
    problem = result.problem()
    assert problem is None, f"{code}\n{problem}"
    return result.text("stdout")


def project(parent: Path) -> Path:
    """A project folder as the repository is one, with data/ and models/ of its own: its notebooks/."""
    folder = parent / "a prøject" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "evcxr.toml", folder)
    (folder / "kernel").symlink_to(ROOT / "notebooks" / "kernel")
    return folder


def live_folders() -> set:
    """The folders of kernels that run, and of those that nobody has removed yet."""
    return set(workspace.KERNELS.glob("kernel-*"))
