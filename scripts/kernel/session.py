"""A live kernel, driven cell by cell, and what a cell showed.

A cell is well only if it answers `status: ok` and nothing at all came on stderr. Under a plain evcxr_jupyter a cell that ends in a failed
`?` or a panic answers `ok`, too; the message is text on stderr, and it may arrive after the answer: so there we wait a moment for what is late.
"""

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty

from jupyter_client.manager import KernelManager
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

LATE = 0.1  # seconds to wait for messages after a plain evcxr_jupyter's answer
SHOWN = ("execute_result", "display_data", "stream", "error")


@dataclass
class Result:
    """What one cell showed."""

    outputs: list = field(default_factory=list)
    count: int | None = None
    seconds: float = 0.0

    def text(self, kind: str) -> str:
        """All text of this kind: `stdout`, `stderr`, or a MIME type."""
        parts = []
        for output in self.outputs:
            if output.output_type == "stream" and output.name == kind:
                parts.append(output.text)
            elif output.output_type in ("execute_result", "display_data") and kind in output.data:
                parts.append(str(output.data[kind]))
        return "".join(parts)

    def problem(self) -> str | None:
        """What went wrong, in words; none if all is well."""
        for output in self.outputs:
            if output.output_type == "error":
                return plain("\n".join(output.traceback) or f"{output.ename}: {output.evalue}")
        stderr = self.text("stderr").strip()
        return f"on stderr: {plain(stderr)}" if stderr else None


class Kernel:
    """A kernel of the kernelspec `petal`, in a working folder."""

    def __init__(self, folder: Path, environment: dict | None = None):
        self.manager = KernelManager(kernel_name="petal")
        self.manager.shutdown_wait_time = 30  # the launcher still has a folder to remove
        self.on_output = lambda output: None  # called with each output as it comes
        self.displays: dict[str, list] = {}  # outputs that can be updated, by their display_id
        self.clears = False  # whether the next output takes the place of those before
        start = time.monotonic()
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, **(environment or {})})
        self.client = self.manager.client()
        self.client.start_channels(hb=False)  # evcxr writes of a late heartbeat as if it were an error
        try:
            self.client.wait_for_ready(timeout=600)
            # It has shown everything when it answers.
            self.exact = self.client.kernel_info(reply=True, timeout=60)["content"]["implementation"] == "petal-kernel"
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self) -> None:
        self.manager.shutdown_kernel(now=False)
        self.client.stop_channels()

    def run(self, code: str, timeout: float = 3600) -> Result:
        """Runs a cell and collects what it shows."""
        result = Result()
        start = time.monotonic()
        request = self.client.execute(code, allow_stdin=False)
        ends = None
        while True:
            message = self._next(LATE if ends else 1)
            if message is None:
                if ends:
                    break
                if not self.manager.is_alive():
                    raise RuntimeError("the kernel has died")
            elif message["msg_type"] == "update_display_data":
                self._update(message["content"])
            elif self.exact and message["parent_header"].get("msg_id") != request:
                pass  # of an earlier cell, which goes on in a thread
            elif message["msg_type"] in SHOWN:
                self._add(result, message)
            elif message["msg_type"] == "clear_output":
                self._clear(result, message["content"]["wait"])
            elif is_idle(message, request):
                ends = time.monotonic()
                if self.exact:
                    break
            if not ends and time.monotonic() - start > timeout:
                raise TimeoutError(f"the cell has not ended after {timeout:.0f} s")
        reply = self._reply(request)
        result.count = reply.get("execution_count")
        result.seconds = ends - start
        if reply["status"] != "ok" and result.problem() is None:
            raise RuntimeError(f"the kernel answered {reply}, but showed no error")
        return result

    def _next(self, timeout: float) -> dict | None:
        try:
            return self.client.get_iopub_msg(timeout=timeout)
        except Empty:
            return None

    def _add(self, result: Result, message: dict) -> None:
        if self.clears:
            self._clear(result, wait=False)
        output = output_from_msg(message)
        self.on_output(output)
        last = result.outputs[-1] if result.outputs else None
        if last and output.output_type == "stream" and last.output_type == "stream" and last.name == output.name:
            last.text += output.text
        else:
            result.outputs.append(output)
        shown = message["content"].get("transient", {}).get("display_id")
        if shown:
            self.displays.setdefault(shown, []).append(output)

    def _update(self, content: dict) -> None:
        for output in self.displays.get(content.get("transient", {}).get("display_id"), []):
            output.data, output.metadata = NotebookNode(content["data"]), NotebookNode(content.get("metadata", {}))

    def _clear(self, result: Result, wait: bool) -> None:
        self.clears = wait
        if not wait:
            result.outputs.clear()

    def _reply(self, request: str) -> dict:
        while True:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]


def is_idle(message: dict, request: str) -> bool:
    """Whether this message says that the kernel has done what `request` asked for."""
    return message["msg_type"] == "status" and message["content"]["execution_state"] == "idle" and message["parent_header"].get("msg_id") == request


def plain(text: str) -> str:
    """The text without a terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
