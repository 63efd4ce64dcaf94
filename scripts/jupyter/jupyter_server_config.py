"""Jupyter's settings for this project; notebook.sh names this folder in JUPYTER_CONFIG_PATH."""

from pathlib import Path

c = get_config()  # noqa: F821
c.ServerApp.root_dir = str(Path(__file__).resolve().parents[2])
# The kernel itself cuts what a cell writes at 16 MiB, and says so; Jupyter would drop outputs at one megabyte a second.
c.ZMQChannelsWebsocketConnection.iopub_data_rate_limit = 1e8
