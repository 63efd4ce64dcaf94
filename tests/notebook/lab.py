"""JupyterLab for a test in a browser, as a person starts it."""

import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from cells import ROOT
from chromium import Page

DEMO = {"PETAL_RECIPE": "demo", "HF_HUB_OFFLINE": "1"}

# Whether no cell runs.
IDLE = "![...document.querySelectorAll('.jp-InputPrompt')].some(prompt => prompt.textContent === '[*]:')"


def turn(page: Page, theme: str) -> None:
    """Light or Dark."""
    page.value(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
    page.wait(f"document.body.dataset.jpThemeName === 'JupyterLab {theme}'", 20, f"JupyterLab {theme}")
    time.sleep(0.5)  # it is drawn anew


class Lab:
    """JupyterLab, started by scripts/notebook.sh as a person does, on a project of its own."""

    def __init__(self, folder: Path, log: Path):
        self.token = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://localhost:{free.getsockname()[1]}"
        options = ["--no-browser", f"--ServerApp.port={self.url.rpartition(':')[2]}", f"--IdentityProvider.token={self.token}"]
        options += [f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None"]
        options.append("--LabApp.expose_app_in_browser=True")  # its kernels' states, for the test
        if os.geteuid() == 0:
            options.append("--allow-root")
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = open(log, "w")  # noqa: SIM115 (closed by stop)
        command = [ROOT / "scripts" / "notebook.sh", *options]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, **DEMO}, start_new_session=True)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def address(self, notebook: str) -> str:
        return f"{self.url}/lab/tree/notebooks/{notebook}?reset&token={self.token}"

    def said(self) -> str:
        """Its log."""
        return Path(self.log.name).read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        finally:
            self.log.close()

    def _wait(self) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"JupyterLab ended: see {self.log.name}")
            try:
                urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=5).close()
                return
            except OSError:
                time.sleep(0.5)
        raise TimeoutError("JupyterLab has not started after five minutes")
