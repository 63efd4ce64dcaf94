"""Jupyter's settings for this project; notebook.sh names this folder in JUPYTER_CONFIG_PATH.

A notebook is saved without scripts: `learner.watch()` shows a panel with one, which belongs to the page it runs in and to nothing
that is committed, exported or sent to others.
"""

import re
from pathlib import Path

SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.IGNORECASE | re.DOTALL)


def without_scripts(model, **_):
    """Called by Jupyter before it saves a file."""
    if model["type"] != "notebook":
        return
    for cell in model["content"].get("cells", []):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                data["text/html"] = SCRIPT.sub("", "".join(data["text/html"]))


c = get_config()  # noqa: F821
c.ServerApp.root_dir = str(Path(__file__).resolve().parents[2])
c.ContentsManager.pre_save_hook = without_scripts
# The kernel itself cuts what a cell writes at 16 MiB, and says so; Jupyter would drop outputs at one megabyte a second.
c.ZMQChannelsWebsocketConnection.iopub_data_rate_limit = 1e8
