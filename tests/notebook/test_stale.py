"""What is said under a cell that was changed: which others still show what came of it before."""

from pathlib import Path

from asking import Asked, kind
from session import Kernel


def send(kernel: Kernel, cell: str, code: str) -> Asked:
    """Asks for code to be run as this cell of a notebook."""
    message = kernel.client.session.msg("execute_request", {"code": code, "silent": False, "store_history": True, "allow_stdin": False})
    message["metadata"]["cellId"] = cell
    kernel.client.shell_channel.send(message)
    return Asked(kernel, message["header"]["msg_id"])


def run(kernel: Kernel, cell: str, code: str) -> list[dict]:
    """Runs code as this cell; what it shows."""
    asked = send(kernel, cell, code)
    shown = [message for message in asked.idle() if kind(message) in ("display_data", "update_display_data", "error")]
    assert asked.reply()["status"] == "ok", shown
    return shown


def test_f79_a_changed_cell_names_the_cells_that_are_stale(folder: Path) -> None:
    """It says so under the cell, runs nothing again, and takes it back for each cell that is run again."""
    with Kernel(folder) as kernel:
        assert run(kernel, "a", "let photos = 3;") == []
        assert run(kernel, "b", "let doubled = photos * 2;") == []
        assert run(kernel, "c", 'println!("{doubled}");') == []
        assert run(kernel, "a", "let photos = 3;") == [], "nothing was changed"
        (hint,) = run(kernel, "a", "let photos = 4;")
        assert kind(hint) == "display_data" and "[2] and [3] still show what came of it before" in hint["content"]["data"]["text/html"]
        (update,) = run(kernel, "b", "let doubled = photos * 2;")
        assert kind(update) == "update_display_data" and update["content"]["transient"] == hint["content"]["transient"]
        assert "[3] still shows" in update["content"]["data"]["text/plain"], update
        (last,) = run(kernel, "c", 'println!("{doubled}");')
        assert last["content"]["data"] == {"text/plain": ""}, "nothing is stale any more"


def test_f79_cells_that_are_about_to_run_are_not_named(folder: Path) -> None:
    """As with Run All: the front end has sent them all."""
    with Kernel(folder) as kernel:
        run(kernel, "a", "let photos = 3;")
        run(kernel, "b", "photos + 1")
        slowly = "std::thread::sleep(std::time::Duration::from_millis(300)); let photos = 4;"
        sent = [send(kernel, cell, code) for cell, code in (("a", slowly), ("b", "photos + 1"))]
        for asked in sent:
            assert not [message for message in asked.idle() if "display_data" in kind(message)], asked.messages
