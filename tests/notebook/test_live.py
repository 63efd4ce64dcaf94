"""What a cell shows comes while it runs, in the order in which it was written."""

import time
from pathlib import Path

import pytest
from asking import ask, kind, text
from cells import well
from session import Kernel

SLEEP = "std::thread::sleep(std::time::Duration::from_millis(%d));"
SAY = """
fn say(json: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\\x1b_petal:{json}\\x1b\\\\").as_bytes()).unwrap();
    out.flush().unwrap();
}
"""


def test_f68_partial_lines_and_carriage_returns_come_at_once(folder: Path) -> None:
    """Without a newline, and without a flush in the cell."""
    with Kernel(folder) as kernel:
        well(kernel, "let warm = 1;")
        asked = ask(kernel, f'print!("half"); {SLEEP % 1500} print!("\\r50 %"); {SLEEP % 1500} println!(" done");')
        begun = asked.until(lambda message: message["msg_type"] == "stream")
        assert begun["content"]["text"] == "half", begun
        second = asked.until(lambda message: message["msg_type"] == "stream")
        assert second["content"]["text"] == "\r50 %", second
        messages = asked.idle()
        assert text(messages) == "half\r50 % done\n"
        assert messages[-1]["after"] - begun["after"] > 2.5 and messages[-1]["after"] - second["after"] > 1.2, [m["after"] for m in messages]


def test_f68_displays_grow_and_stand_in_order_with_the_text(folder: Path) -> None:
    """display_data, update_display_data, clear_output and MIME blocks between lines of text."""
    with Kernel(folder) as kernel:
        well(kernel, SAY)
        code = """
println!("one");
say(r#"{"msg_type":"display_data","content":{"data":{"text/plain":"0 %"},"metadata":{},"transient":{"display_id":"bar"}}}"#);
print!("two");
say(r#"{"msg_type":"update_display_data","content":{"data":{"text/plain":"50 %"},"metadata":{},"transient":{"display_id":"bar"}}}"#);
println!("EVCXR_BEGIN_CONTENT text/html\\n<b>3</b>\\nEVCXR_END_CONTENT\\nEVCXR_BEGIN_CONTENT text/plain\\n3\\nEVCXR_END_CONTENT");
println!("EVCXR_BEGIN_CONTENT text/html\\n<b>4</b>\\nEVCXR_END_CONTENT");
println!("five");
say(r#"{"msg_type":"clear_output","content":{"wait":true}}"#);
let six = 6;
six
"""
        asked = ask(kernel, code)
        messages = [message for message in asked.idle() if kind(message) not in ("busy", "idle", "execute_input")]
        assert [(kind(message), message["content"].get("text") or message["content"].get("data")) for message in messages] == [
            ("stream", "one\n"),
            ("display_data", {"text/plain": "0 %"}),
            ("stream", "two"),
            ("update_display_data", {"text/plain": "50 %"}),
            ("display_data", {"text/html": "<b>3</b>", "text/plain": "3"}),
            ("display_data", {"text/html": "<b>4</b>"}),
            ("stream", "five\n"),
            ("clear_output", None),
            ("execute_result", {"text/plain": "6"}),
        ]
        assert asked.reply()["status"] == "ok"


def test_f68_what_a_process_writes_between_cells_is_shown(folder: Path) -> None:
    """A thread goes on after its cell; nothing blocks, and its text belongs to that cell."""
    with Kernel(folder) as kernel:
        asked = ask(kernel, f'std::thread::spawn(|| {{ {SLEEP % 800} println!("late"); }});')
        asked.reply()
        asked.idle()
        late = asked.until(lambda message: message["msg_type"] == "stream", timeout=10)
        assert late["content"]["text"] == "late\n"


def test_f69_a_hundred_megabytes_of_text_are_cut_with_a_word(folder: Path) -> None:
    """The cell ends, the kernel works on, and what was cut is said."""
    with Kernel(folder) as kernel:
        asked = ask(kernel, 'for _ in 0..1_000_000 { println!("{:0>99}", 1); }')
        messages = asked.idle(timeout=300)
        shown = text(messages)
        assert asked.reply()["status"] == "ok"
        assert 16 << 20 < len(shown) < 17 << 20, len(shown)
        assert "more than 16 MiB" in shown and "PETAL_OUTPUT_LIMIT" in shown
        assert well(kernel, 'println!("well");') == "well\n"


def test_comms_reach_the_process_and_come_back(folder: Path) -> None:
    """A process opens a widget; front ends find it, hear its state, and write to it while a cell runs."""
    with Kernel(folder) as kernel:
        well(kernel, SAY)
        well(
            kernel,
            r"""
let inbox = std::os::unix::net::UnixStream::connect(std::env::var("PETAL_INBOX").unwrap())?;
say(r#"{"msg_type":"comm_open","content":{"comm_id":"w1","target_name":"jupyter.widget","data":{"state":{"_model_name":"M","value":1}}}}"#);
""",
        )
        client = kernel.client
        reply = kernel.client.comm_info("jupyter.widget", reply=True, timeout=10)
        assert reply["content"]["comms"] == {"w1": {"target_name": "jupyter.widget"}}
        asked = ask(
            kernel,
            "use std::io::BufRead;\nlet mut line = String::new();\n"
            'std::io::BufReader::new(inbox.try_clone()?).read_line(&mut line)?;\nprintln!("{line}");',
        )
        asked.until(lambda message: message["msg_type"] == "execute_input")
        time.sleep(1)  # compiled by then, or soon; the socket keeps the line
        send(client, "comm_msg", {"comm_id": "w1", "data": {"method": "update", "state": {"value": 2}}})
        assert '"value":2' in text(asked.idle())
        # A front end that comes later asks for all states.
        send(client, "comm_open", {"comm_id": "c", "target_name": "jupyter.widget.control", "data": {}})
        request = send(client, "comm_msg", {"comm_id": "c", "data": {"method": "request_states"}})
        while True:
            message = client.get_iopub_msg(timeout=10)
            if message["msg_type"] == "comm_msg" and message["parent_header"]["msg_id"] == request:
                break
        state = message["content"]["data"]["states"]["w1"]
        assert (state["model_name"], state["state"]["value"]) == ("M", 2), state


def test_completion_is_fast_once_warm(folder: Path) -> None:
    """Fields and methods of a live variable."""
    with Kernel(folder) as kernel:
        well(kernel, "struct Flower { petals: u8, name: String }\nimpl Flower { fn water(&self) {} }")
        well(kernel, 'let rose = Flower { petals: 5, name: "rose".into() };')
        for code in ("rose.", "rose.pe"):
            start = time.monotonic()
            matches = kernel.client.complete(code, reply=True, timeout=60)["content"]["matches"]
            seconds = time.monotonic() - start
            assert "petals" in matches, matches
        assert seconds < 1, f"{seconds:.2f} s"
        assert any(name.startswith("water") for name in kernel.client.complete("rose.wa", reply=True, timeout=60)["content"]["matches"])
        shown = kernel.client.inspect("rose", 4, reply=True, timeout=60)["content"]
        assert shown["found"] and "Flower" in shown["data"]["text/plain"], shown


@pytest.mark.parametrize("code", ["kernel_info", "history", "comm_info"])
def test_a_running_cell_holds_up_no_question(folder: Path, code: str) -> None:
    """A page that is loaded anew while a cell runs gets its answers."""
    with Kernel(folder) as kernel:
        well(kernel, "let warm = 1;")
        asked = ask(kernel, SLEEP % 4000)
        asked.until(lambda message: message["msg_type"] == "execute_input")
        start = time.monotonic()
        getattr(kernel.client, code)(reply=True, timeout=20)
        assert time.monotonic() - start < 2
        asked.idle()


def send(client, kind: str, content: dict) -> str:
    """Sends a message on the shell channel; its number."""
    message = client.session.msg(kind, content)
    client.shell_channel.send(message)
    return message["header"]["msg_id"]
