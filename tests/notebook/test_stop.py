"""Jupyter's Stop, and ends of all kinds: what is kept is kept, and nothing stays behind."""

import os
import signal
import time
from pathlib import Path

import workspace
from asking import ask, children, environment, interrupt, kind
from cells import well
from session import Kernel, plain

# As petal's long calls do it.
WAITS = """
fn waits() -> bool {
    let stop = std::env::var("PETAL_STOP").unwrap();
    for _ in 0..600 {
        if std::path::Path::new(&stop).exists() { return true; }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    false
}
"""
ENDLESS = 'print!("round and round"); loop { std::thread::sleep(std::time::Duration::from_millis(10)); }'


def test_f70_a_call_that_looks_for_a_stop_ends_and_all_variables_stay(folder: Path) -> None:
    """The cell answers ok, those behind it do not run, and the next one finds no stop."""
    with Kernel(folder) as kernel:
        well(kernel, WAITS)
        well(kernel, "let mut kept = vec![1, 2];")
        asked, behind = ask(kernel, 'kept.push(3); let stopped = waits(); println!("{stopped}");'), ask(kernel, 'println!("behind");')
        asked.until(lambda message: message["msg_type"] == "execute_input")
        running(kernel)
        interrupt(kernel)
        assert asked.reply()["status"] == "ok"
        assert behind.reply()["status"] == "aborted"
        well(kernel, 'let file = std::env::var("PETAL_STOP")?;')
        assert well(kernel, 'println!("{kept:?} {stopped} {}", std::path::Path::new(&file).exists());') == "[1, 2, 3] true false\n"


def test_f70_whoever_has_heard_of_a_stop_is_given_time_to_save(folder: Path, monkeypatch) -> None:
    """As petal does: it writes so into the file, and the kernel waits longer than for one who does not listen."""
    with environment(monkeypatch, PETAL_STOP_PATIENCE="1"), Kernel(folder) as kernel:
        well(kernel, WAITS)
        well(kernel, "let kept = 7;")
        saves = 'std::fs::write(std::env::var("PETAL_STOP")?, "heard")?; std::thread::sleep(std::time::Duration::from_secs(4));'
        asked = ask(kernel, f'let stopped = waits(); {saves} println!("saved");')
        asked.until(lambda message: message["msg_type"] == "execute_input")
        running(kernel)
        interrupt(kernel)
        assert asked.reply()["status"] == "ok"
        assert well(kernel, 'println!("{kept} {stopped}");') == "7 true\n"


def test_f71_an_endless_cell_is_ended_by_a_second_press_or_after_a_while(folder: Path, monkeypatch) -> None:
    """It says which variables are lost; functions and types are still there."""
    with environment(monkeypatch, PETAL_STOP_PATIENCE="3"), Kernel(folder) as kernel:
        for presses in (2, 1):
            well(kernel, "struct Flower(u8);\nfn petals(flower: &Flower) -> u8 { flower.0 }")
            well(kernel, "let rose = Flower(5);")
            asked = ask(kernel, ENDLESS)
            asked.until(lambda message: message["msg_type"] == "stream")
            start = time.monotonic()
            for press in range(presses):
                interrupt(kernel)
                time.sleep(0.6 if press + 1 < presses else 0)
            reply = asked.reply()
            seconds = time.monotonic() - start
            assert reply["ename"] == "Interrupted", reply
            assert "Lost variables: rose" in plain("\n".join(reply["traceback"])), reply
            assert seconds < 2.5 if presses == 2 else 2.5 < seconds < 6, seconds
            assert well(kernel, 'println!("{}", petals(&Flower(6)));') == "6\n"


def test_f72_a_stop_while_compiling_ends_the_compile(folder: Path) -> None:
    """Nothing of the cell runs, and all variables stay."""
    with Kernel(folder) as kernel:
        well(kernel, "let kept = 7;")
        # Takes rustc a minute or so.
        function = "fn f%d(x: [u64; 64]) -> [u64; 64] { let mut y = x; for i in 0..64 { y[i] = y[63 - i].wrapping_mul(3); } y }"
        functions = "\n".join(function % number for number in range(6000))
        asked = ask(kernel, functions + '\nprintln!("{}", f1([1; 64])[0]);')
        deadline = time.monotonic() + 60
        while not any("rustc" in command and "crate-name ctx" in command for command in children(kernel_process(kernel)).values()):
            assert time.monotonic() < deadline, children(kernel_process(kernel))
            time.sleep(0.05)
        start = time.monotonic()
        interrupt(kernel)
        reply = asked.reply()
        assert reply["ename"] == "Interrupted" and "compiled" in reply["evalue"], reply
        assert time.monotonic() - start < 5
        assert "stream" not in [kind(message) for message in asked.idle()]
        assert well(kernel, 'println!("{kept}");') == "7\n"


def test_f73_the_process_or_the_compiler_killed_is_told_and_the_next_cell_works(folder: Path) -> None:
    """kill -9 of the one and of the other, a crash, and a cell that leaves."""
    with Kernel(folder) as kernel:
        for ends in ("kill", "std::process::abort();", "std::process::exit(3);", "unsafe { *(8 as *mut u8) = 1; }"):
            well(kernel, "fn double(x: u8) -> u8 { x * 2 }")
            well(kernel, "let lost = 3;")
            asked = ask(kernel, ENDLESS if ends == "kill" else ends)
            if ends == "kill":
                asked.until(lambda message: message["msg_type"] == "stream")
                os.kill(runtime(kernel), signal.SIGKILL)
            reply = asked.reply()
            assert reply["ename"] == "ProcessEnded", reply
            assert "Lost variables: lost" in plain("\n".join(reply["traceback"])), reply
            assert well(kernel, 'println!("{}", double(4));') == "8\n"
        well(kernel, "let kept = 9;")
        functions = "\n".join(f"fn g{i}(x: u64) -> u64 {{ (0..x).map(|y| y * {i}).sum() }}" for i in range(3000))
        asked = ask(kernel, functions + "\ng1(2)")
        deadline = time.monotonic() + 60
        killed = False
        while not killed and time.monotonic() < deadline:
            for process, command in children(kernel_process(kernel)).items():
                if "crate-name ctx" in command:
                    os.kill(process, signal.SIGKILL)
                    killed = True
        reply = asked.reply(timeout=120)
        assert killed and reply["status"] == "error", reply
        assert well(kernel, 'println!("{kept}");') == "9\n"


def test_f74_nothing_stays_behind_a_kernel(folder: Path) -> None:
    """Shut down while a cell runs, killed, and its launcher killed: no process, no folder, no socket."""
    for end in ("shutdown", "kill the kernel", "kill the launcher"):
        before = folders()
        kernel = Kernel(folder)
        asked = ask(kernel, ENDLESS)
        asked.until(lambda message: message["msg_type"] == "stream")
        launcher = kernel.manager.provisioner.pid
        processes = children(launcher)
        assert len(processes) >= 3, processes
        if end == "shutdown":
            kernel.stop()
        else:
            os.kill(kernel_process(kernel) if end == "kill the kernel" else launcher, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(alive(process) for process in processes):
            time.sleep(0.1)
        left = {process: command for process, command in processes.items() if alive(process)}
        # The launcher has a folder with a whole build to remove.
        deadline = time.monotonic() + 30
        while end == "kill the kernel" and alive(launcher) and time.monotonic() < deadline:
            time.sleep(0.1)
        if end != "shutdown":
            kernel.client.stop_channels()
            kernel.manager.shutdown_kernel(now=True)
        assert not left, f"{end}: {left}"
        if end != "kill the launcher":
            assert folders() <= before, f"{end}: {folders() - before}"
    # The next kernel removes what one could not that had no time to.
    with Kernel(folder):
        pass
    assert not {name for name in folders() - before if not alive(int(name.rpartition("-")[2]) if name.rpartition("-")[2].isdigit() else 0)}


def running(kernel: Kernel) -> None:
    """Waits until the cell at hand is compiled, and runs."""
    time.sleep(1.0)
    while any("crate-name ctx" in command for command in children(kernel_process(kernel)).values()):
        time.sleep(0.1)
    time.sleep(1.0)


def kernel_process(kernel: Kernel) -> int:
    """The kernel itself: what the launcher has started."""
    launcher = kernel.manager.provisioner.pid
    return min(children(launcher))


def runtime(kernel: Kernel) -> int:
    """The process that runs the cells: the shim's child."""
    ours = [process for process, command in children(kernel_process(kernel)).items() if "petal-kernel" in command]
    return max(ours)


def alive(process: int) -> bool:
    """Whether there is such a process, other than as a name that nobody has asked about."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def folders() -> set:
    """What kernels have made for themselves."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")
    return {str(path) for path in [*workspace.KERNELS.glob("kernel-*"), *runtime.glob("petal-kernel-*")] if path.is_dir()}
