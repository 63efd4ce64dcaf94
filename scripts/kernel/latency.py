"""Measures what one waits for: a kernel's first output, its cells, its completion. One row a kernel, one sitting.

    latency.py [--runs N] [--petal] [--read SECONDS] [KERNEL…]

KERNEL     names of kernelspecs, `petal` without any; `petal` starts in notebooks/, others in an empty folder
--petal    for kernels of Rust, the notebook's first cells with petal; otherwise the standard library alone
--read     the first cell is run so many seconds after the kernel answers, as by somebody who reads the notebook first; the first output
           is then counted from that cell on
PETAL_PLAIN_EVCXR=PATH adds a row of evcxr_jupyter in petal's prepared folder.

Each number is the median of N runs (3): seconds from asking for the kernel until it answers, until the first cell has shown its output, of
later cells of a few lines (the median of 12 a run), and of a completion once warm (the median of 10).
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import workspace
from jupyter_client.manager import KernelManager

RUST = {
    "first": ['println!("first");'],
    "petal": [f"{workspace.DEPENDENCY}\nuse petal::prelude::*;", 'let project = Project::open("..")?;\nprintln!("first");'],
    "later": 'let value{n}: Vec<u64> = (0..{n}).map(|x| x * x).collect();\nlet sum = value{n}.iter().sum::<u64>();\nprintln!("{{sum}}");',
    "complete": "sum.count_o",
}
PYTHON = {
    "first": ["print('first')"],
    "later": "value{n} = [x * x for x in range({n})]\ntotal = sum(value{n})\nprint(total)",
    "complete": "total.bit_l",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--petal", action="store_true")
    parser.add_argument("--read", type=float, default=0)
    arguments = parser.parse_args()
    rows = [(name, None) for name in arguments.kernels or ["petal"]]
    plain = os.environ.pop("PETAL_PLAIN_EVCXR", None)
    if plain:
        rows.append(("petal", plain))
    print(f"{'kernel':28} {'answers':>8} {'first output':>13} {'later cell':>11} {'completion':>11}   (seconds)")
    for name, program in rows:
        times = [measured(name, program, arguments.petal, arguments.read) for _ in range(arguments.runs)]
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        title = "evcxr_jupyter, as prepared" if program else name
        print(f"{title:28} {medians[0]:8.2f} {medians[1]:13.2f} {medians[2]:11.2f} {medians[3]:11.2f}", flush=True)
    return 0


def measured(name: str, program: str | None, petal: bool, read: float) -> tuple:
    """Seconds until it answers, until its first output, of a later cell, of a completion."""
    with tempfile.TemporaryDirectory() as empty:
        folder = workspace.ROOT / "notebooks" if name == "petal" else Path(empty)
        manager = KernelManager(kernel_name=name)
        start = time.monotonic()
        manager.start_kernel(cwd=str(folder), env={**os.environ, **({"PETAL_PLAIN_EVCXR": program} if program else {})})
        client = manager.client()
        client.start_channels(hb=False)
        try:
            client.wait_for_ready(timeout=600)
            answers = time.monotonic() - start
            if read:
                time.sleep(read)
                start = time.monotonic()
            cells = PYTHON if manager.kernel_spec.language == "python" else RUST
            for code in cells["petal" if petal and "petal" in cells else "first"]:
                run(client, code)
            first = time.monotonic() - start
            later = [run(client, cells["later"].format(n=number)) for number in range(1, 13)]
            complete = [completion(client, cells["complete"]) for _ in range(11)][1:]
            return answers, first, statistics.median(later), statistics.median(complete)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=False)


def run(client, code: str) -> float:
    """Seconds until a cell is done; its output has come by then."""
    start = time.monotonic()
    reply = client.execute_interactive(code, allow_stdin=False, timeout=600, output_hook=lambda message: None)
    if reply["content"]["status"] != "ok":
        sys.exit(f"{code}\n{reply['content']}")
    return time.monotonic() - start


def completion(client, code: str) -> float:
    start = time.monotonic()
    client.complete(code, reply=True, timeout=60)
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
