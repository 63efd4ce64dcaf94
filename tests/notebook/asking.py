"""A kernel asked message by message, for what session.py does not look at: when things come, in which order, and what is answered."""

import time
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

from session import Kernel


class Asked:
    """A request, and what came of it so far."""

    def __init__(self, kernel: Kernel, request: str):
        self.kernel, self.request = kernel, request
        self.messages: list[dict] = []
        self.start = time.monotonic()

    def until(self, done, timeout: float = 120) -> dict:
        """The first message on iopub that `done` wants; all before it are kept."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                message = self.kernel.client.get_iopub_msg(timeout=0.5)
            except Empty:
                continue
            if message["parent_header"].get("msg_id") != self.request:
                continue
            message["after"] = time.monotonic() - self.start
            self.messages.append(message)
            if done(message):
                return message
        raise TimeoutError(f"not seen in {timeout} s; seen: {[kind(message) for message in self.messages]}")

    def idle(self, timeout: float = 120) -> list[dict]:
        """All messages, until the kernel is idle again."""
        self.until(lambda message: message["msg_type"] == "status" and message["content"]["execution_state"] == "idle", timeout)
        return self.messages

    def reply(self, timeout: float = 60) -> dict:
        """The answer's content."""
        while True:
            reply = self.kernel.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == self.request:
                return reply["content"]


def ask(kernel: Kernel, code: str, **options) -> Asked:
    """Asks for a cell to be run."""
    return Asked(kernel, kernel.client.execute(code, allow_stdin=False, **options))


def text(messages: list[dict], stream: str = "stdout") -> str:
    """All text on this stream."""
    return "".join(message["content"]["text"] for message in messages if message["msg_type"] == "stream" and message["content"]["name"] == stream)


def kind(message: dict) -> str:
    """What a message is, in a word."""
    return message["content"]["execution_state"] if message["msg_type"] == "status" else message["msg_type"]


def interrupt(kernel: Kernel) -> None:
    """Jupyter's Stop."""
    kernel.manager.interrupt_kernel()


def children(process: int) -> dict[int, str]:
    """The processes that a process has started, and theirs: their numbers and command lines."""
    parents, commands = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
                commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if stat.rpartition(") ")[2].startswith("Z"):
                continue
            parents[int(folder.name)] = int(stat.rpartition(") ")[2].split()[1])
    found = {process}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            break
        found |= more
    return {child: commands.get(child, "") for child in found - {process}}


@contextmanager
def environment(monkeypatch, **variables):
    """The same with these environment variables."""
    with monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield
