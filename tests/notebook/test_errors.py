"""A cell that fails says so: to the front end, to the cells behind it, and to whoever runs a notebook without one."""

from pathlib import Path

import nbformat
import pytest
from asking import ask, kind, text
from cells import well
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from session import Kernel, plain

FAILS = 'let n: i32 = "seven".parse::<i32>()?;'


def test_f66_a_failed_question_mark_a_panic_and_a_compile_error_are_errors(folder: Path) -> None:
    """Each answers `status: error` with its name, its words, and the line; nothing is said twice on stderr, and variables from before stay."""
    cases = [
        (FAILS, "Error", "invalid digit", "line 1"),
        ('let a = 1;\nlet b: Option<u8> = None;\nb.expect("nothing in b");', "Panic", "nothing in b", "line 3"),
        ("#[derive(Debug)]\nstruct OnlyDebug(u8);\nErr(OnlyDebug(7))?;", "Error", "OnlyDebug(7)", "line 3"),
        ("let a = 1;\nlet c: u8 = kept + a + missing;", "E0425", "missing", "cell 5"),
        ('let s: String = "text";', "E0308", "mismatched types", ".to_string()"),
    ]
    with Kernel(folder) as kernel:
        well(kernel, "let kept = 41;")
        for number, (code, name, words, more) in enumerate(cases, 2):
            asked = ask(kernel, code)
            messages = asked.idle()
            reply = asked.reply()
            assert reply["status"] == "error" and reply["execution_count"] == number, reply
            assert reply["ename"] == name and words in reply["evalue"], reply
            assert more in plain("\n".join(reply["traceback"])), reply["traceback"]
            assert [kind(message) for message in messages] == ["busy", "execute_input", "error", "idle"], [kind(message) for message in messages]
        assert well(kernel, 'println!("{}", kept + 1);') == "42\n"
        # What the cell itself writes on stderr stays there.
        messages = ask(kernel, 'eprintln!("mine");\nstd::thread::sleep(std::time::Duration::from_millis(200));\npanic!("theirs");').idle()
        assert text(messages, "stderr") == "mine\n", messages


def test_f67_cells_behind_a_failed_one_do_not_run(folder: Path) -> None:
    """They are answered `aborted`; with `stop_on_error` off they run, and so do those that are sent after the answer."""
    with Kernel(folder) as kernel:
        first, second, third = ask(kernel, FAILS), ask(kernel, 'println!("ran");'), ask(kernel, "1 + 1")
        assert first.reply()["status"] == "error"
        assert [second.reply()["status"], third.reply()["status"]] == ["aborted", "aborted"]
        assert [kind(message) for message in third.idle()] == ["busy", "idle"]
        first, second = ask(kernel, FAILS, stop_on_error=False), ask(kernel, "1 + 1")
        assert [first.reply()["status"], second.reply()["status"]] == ["error", "ok"]
        second.idle()
        assert well(kernel, 'println!("again");') == "again\n"


def test_counts_begin_at_one_and_silent_cells_are_not_counted(folder: Path) -> None:
    """As the protocol says of `silent` and `store_history`."""
    with Kernel(folder) as kernel:
        assert ask(kernel, "let a = 1;").reply()["execution_count"] == 1
        silent = ask(kernel, "a + 1", silent=True)
        assert [kind(message) for message in silent.idle()] == ["busy", "idle"]
        silent.reply()
        ask(kernel, "a + 2", store_history=False).reply()
        shown = ask(kernel, "a + 3")
        assert shown.reply()["execution_count"] == 2
        assert [message["content"]["data"]["text/plain"] for message in shown.idle() if kind(message) == "execute_result"] == ["4"]


@pytest.mark.parametrize("tags, raises", [([], True), (["raises-exception"], False)])
def test_f66_nbclient_stops_at_the_failing_cell(folder: Path, tags: list, raises: bool) -> None:
    """What runs notebooks without a person raises there; a cell tagged `raises-exception` may fail."""
    cells = [nbformat.v4.new_code_cell(source) for source in ('println!("one");', FAILS, 'println!("three");')]
    cells[1].metadata["tags"] = tags
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "petal", "display_name": "", "language": "rust"}})
    client = NotebookClient(notebook, timeout=120, kernel_name="petal", resources={"metadata": {"path": str(folder)}})
    if raises:
        with pytest.raises(CellExecutionError, match="invalid digit"):
            client.execute()
        assert cells[2].outputs == []
    else:
        client.execute()
        assert cells[2].outputs[0].text == "three\n"
    assert cells[1].outputs[0].output_type == "error" and cells[1].execution_count == 2
