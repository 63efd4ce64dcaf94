"""A headless Chromium, driven by its DevTools protocol: open a page, wait, click as a person does, take a picture.

    chromium.py     exit status 0 if there is one

PETAL_BROWSER names the program; without it, the usual names are looked for.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str | None:
    """The browser's path; none if there is none that runs."""
    given = os.environ.get("PETAL_BROWSER")
    for name in [given] if given else NAMES:
        path = shutil.which(name)
        # On Ubuntu, `chromium-browser` may be a script that only says how to install it.
        if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0:
            return path
    return None


class Chromium:
    """A browser with a profile of its own, which goes with it."""

    def __init__(self, size: tuple = (1280, 1400)):
        self.profile = tempfile.TemporaryDirectory(prefix="petal-browser-", ignore_cleanup_errors=True)
        command = [program(), "--headless=new", f"--user-data-dir={self.profile.name}", "--remote-debugging-port=0"]
        command += [f"--window-size={size[0]},{size[1]}", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium refuses to run as root with it
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.port = self._port()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.profile.cleanup()

    def open(self, url: str) -> "Page":
        """A new tab that shows `url`."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/new", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            page = Page(json.load(answer)["webSocketDebuggerUrl"])
        page.call("Page.navigate", url=url)
        return page

    def _port(self) -> int:
        file = Path(self.profile.name) / "DevToolsActivePort"
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"the browser ended with status {self.process.returncode}")
            if file.is_file() and (lines := file.read_text().splitlines()):
                return int(lines[0])
            time.sleep(0.1)
        raise TimeoutError("the browser has not started after a minute")


class Page:
    """One tab."""

    def __init__(self, url: str):
        self.socket = websocket.create_connection(url, timeout=60, suppress_origin=True)
        self.count = 0
        self.errors = []  # uncaught errors of the page's scripts
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters) -> dict:
        """Asks the browser for something; what it answers."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(message["params"]["exceptionDetails"])[:2000])
            if message.get("id") == self.count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def value(self, expression: str):
        """The value of a JavaScript expression, waited for if it is a promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}\n{json.dumps(result['exceptionDetails'])[:2000]}")
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float, what: str):
        """Waits until an expression is true, and gives its value."""
        end = time.monotonic() + seconds
        while True:
            value = self.value(expression)
            if value:
                return value
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s")
            time.sleep(0.2)

    def click(self, element: str) -> None:
        """Clicks with the mouse on what this expression gives, in its middle, once that stays where it is."""
        before, place, end = None, [], time.monotonic() + 10
        while before != place and time.monotonic() < end:
            before = place
            place = self.value(f"""(() => {{
                const element = {element};
                element.scrollIntoView({{block: "center"}});
                const box = element.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()""")
            time.sleep(0.3)
        x, y = place
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="none" if kind == "mouseMoved" else "left", clickCount=1)

    def press(self, key: str, code: int, modifiers: int = 0) -> None:
        """Presses a key; modifiers: 1 alt, 2 control, 8 shift."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers)

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Writes what is seen as PNG; `whole`: the page to its end."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


if __name__ == "__main__":
    sys.exit(0 if program() else 1)
