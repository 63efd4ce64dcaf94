"""Many cells in one kernel: they take no longer and no more memory than stated. 500, or PETAL_CELLS of them."""

import os
import statistics
from pathlib import Path

from asking import children
from cells import well
from session import Kernel

CELLS = int(os.environ.get("PETAL_CELLS") or 500)
MEMORY = 1.0  # MB a cell, of kernel and process together: evcxr keeps each cell's library
SLOWER = 1.2  # how much slower the last cells may be than those around the tenth


def test_f75_many_cells_take_no_longer_and_stay_below_a_megabyte_each(folder: Path) -> None:
    """A variable, a line of output and a value in each."""
    with Kernel(folder) as kernel:
        seconds = []
        for number in range(1, CELLS + 1):
            result = kernel.run(f'let v{number % 20} = {number}u64;\nprintln!("cell {{}}", v{number % 20});\nv{number % 20} + 1')
            assert result.problem() is None, result
            assert result.text("stdout") == f"cell {number}\n" and result.text("text/plain") == str(number + 1)
            seconds.append(result.seconds)
            if number == 20:
                before = memory(kernel)
        more = (memory(kernel) - before) / (CELLS - 20)
        early, late = statistics.median(seconds[9:20]), statistics.median(seconds[-11:])
        print(f"    {CELLS} cells: {early:.2f} s around the tenth, {late:.2f} s at the end; {more:.2f} MB more a cell", flush=True)
        assert more <= MEMORY, f"{more:.2f} MB a cell"
        assert late <= SLOWER * early + 0.05, f"{early:.2f} s, later {late:.2f} s"
        assert well(kernel, 'println!("{}", v1);')


def memory(kernel: Kernel) -> float:
    """What the kernel and all its processes hold, in MB."""
    pages = 0
    for process in children(kernel.manager.provisioner.pid):
        try:
            resident, shared = map(int, Path(f"/proc/{process}/statm").read_text().split()[1:3])
        except OSError:
            continue
        pages += resident - shared
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
