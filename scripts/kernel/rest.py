"""Gives a kernel's folder the rest of the prepared build, which cargo reads and rustc does not.

    rest.py PREPARED FOLDER STAMP       what petal-kernel calls as the file `rest` says, before it calls cargo

STAMP is the prepared build's when the kernel began. If it is another by now, the kernel's libraries are not of that build, and cargo, left without
the rest, finds out for itself what is to be compiled.
"""

import sys
from pathlib import Path

import workspace


def main() -> int:
    prepared, folder, stamp = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    with workspace.locked(prepared, exclusive=False):
        file = prepared / "stamp"
        if file.is_file() and file.read_text() == stamp:
            workspace.copy(prepared / "cell" / "target", folder / "cell" / "target", lambda name: True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
