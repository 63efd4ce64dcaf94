"""Starts the kernel in a folder of its own, made from the prepared build, and removes the folder when the kernel ends.

    launch.py KERNEL PREPARED CONNECTION_FILE       what Jupyter calls, by the kernelspec that prepare.py writes

Nothing locks evcxr's folder, and it holds one src/lib.rs: two kernels in one would compile each other's cells.
PETAL_KERNEL_FOLDER names a folder to use as it is and to keep; prepare.py makes the prepared build that way.
PETAL_PLAIN_EVCXR names an evcxr_jupyter that is started in place of petal-kernel: notebooks run under it, too.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import workspace

# Made by prepare.py.
TOOLS = Path(sys.prefix) / "share" / "jupyter" / "kernels" / "petal" / "rust"


def main() -> int:
    program, prepared, connection = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    command = [os.environ.get("PETAL_PLAIN_EVCXR") or program, "--control_file", connection]
    given = os.environ.get("PETAL_KERNEL_FOLDER")
    if given:
        return run(command, Path(given))
    folder, alive = own_folder()
    try:
        try:
            if prepared.is_dir():
                with workspace.locked(prepared, exclusive=False):
                    workspace.link(prepared, folder)
            workspace.write(folder)
        except OSError as error:  # a full disk: the kernel, which meets it as well, tells it in the notebook
            print(f"{folder}: {error}", file=sys.stderr)
        return run(command, folder, alive.fileno())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        alive.close()


def own_folder():
    """A new folder, and the open file `alive` in it. The kernel inherits this file with its lock: as long as the kernel or one of its
    processes lives, the folder is not stale. Stale ones, of kernels that were killed, are removed here."""
    with workspace.locked(workspace.KERNELS, exclusive=True):
        for file in workspace.KERNELS.glob("kernel-*/alive"):
            with open(file) as alive:
                try:
                    fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                shutil.rmtree(file.parent, ignore_errors=True)
        workspace.KERNELS.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="kernel-", dir=workspace.KERNELS))
        alive = open(folder / "alive", "w")  # noqa: SIM115 (open as long as the kernel lives)
        fcntl.flock(alive, fcntl.LOCK_EX)
    return folder, alive


def run(command: list, folder: Path, *inherited: int) -> int:
    environment = {
        **os.environ,
        **libraries(folder),
        "EVCXR_TMPDIR": str(folder / "cell"),
        # Neither the user's settings for other evcxr kernels are read, nor other kernels updated.
        "EVCXR_CONFIG_DIR": str(folder / "no-settings"),
        "JUPYTER_PATH": str(folder / "no-kernels"),
        **standard_library(folder),
        # The cargo that rust-analyzer calls: rustup's, which then calls this, or without rustup this one.
        **({"RUSTUP_TOOLCHAIN": str(TOOLS)} if shutil.which("rustup") else {"CARGO": str(TOOLS / "bin" / "cargo")}),
        "PETAL_KERNEL_TOOLS": str(TOOLS),
        # Whoever looks for them in the path need not ask rustup each time.
        "PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}",
    }
    kernel = subprocess.Popen(command, env=environment, pass_fds=inherited)

    def end(*_) -> None:
        """Ends all that the kernel started, too: a cell may be computing. What is left to do here is to remove the folder."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGTERM)
        else:
            kernel.terminate()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    status = kernel.wait()
    if status < 0:  # it was killed, and had no time for it
        end()
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
            shutil.rmtree(Path(parent or "/tmp") / f"petal-kernel-{kernel.pid}", ignore_errors=True)
    return status


def standard_library(folder: Path) -> dict:
    """Where rust-analyzer finds the standard library, and what the kernel loads while the notebook is read: petal, where there is one, and only
    then the real library (worker.rs). Without the component rust-src there is none, as always."""
    link = folder / "library"
    try:
        link.unlink(missing_ok=True)
        if os.environ.get("PETAL_PLAIN_EVCXR") or not Path("kernel", "Cargo.toml").is_file():
            link.symlink_to(TOOLS / "library")
            return {"RUST_SRC_PATH": str(link)}
        link.symlink_to(TOOLS / "empty")
    except OSError:
        return {}  # a full disk, see above
    return {"RUST_SRC_PATH": str(link), "PETAL_KERNEL_LIBRARY": str(TOOLS / "library"), "PETAL_KERNEL_WARM": workspace.DEPENDENCY}


def libraries(folder: Path) -> dict:
    """Where the loader finds Rust's standard library and petal. The search paths in a cell's library are relative to where it was
    compiled, and evcxr moves it."""
    rust = os.readlink(TOOLS / "libraries")
    target = Path(rust).parent.name
    name = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    own = folder / "cell" / "target" / target / "debug" / "deps"
    # A folder that is not there when the process starts, the loader does not look into later, either.
    with contextlib.suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
    paths = [str(own), rust, os.environ.get(name)]
    return {name: ":".join(path for path in paths if path)}


if __name__ == "__main__":
    sys.exit(main())
