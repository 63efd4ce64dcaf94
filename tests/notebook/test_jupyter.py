"""Jupyter's own conformance tests (jupyter_kernel_test) on the kernel.

What they could look at and is not asked for here:
- `test_pager` (`code_page_something`): evcxr has no pager. What `:doc` and `:help` say is the cell's value, which a notebook keeps.
All others run.
"""

import jupyter_kernel_test
from cells import ROOT
from jupyter_client.manager import start_new_kernel

APC = r'print!("\x1b_petal:{}\x1b\\", r#"%s"#);'
BLOCK = 'println!("EVCXR_BEGIN_CONTENT text/html\\n%s\\nEVCXR_END_CONTENT");'


class ConformanceTests(jupyter_kernel_test.KernelTests):
    """The kernel in the notebooks' folder, whose settings it reads."""

    kernel_name = "petal"
    language_name = "rust"
    file_extension = ".rs"
    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("a word on stderr");'
    completion_samples = [
        {"text": "let petals = 5u32; petals.count_z", "matches": {"count_zeros()"}},
        {"text": ":var", "matches": {":vars"}},
        {"text": "no_such_name_anywhere.", "matches": set()},
    ]
    complete_code_samples = ["1 + 1", "let x = 5;", "fn f() -> u8 {\n    3\n}", ':dep serde = "1"', "// a comment"]
    incomplete_code_samples = ["fn f() {", "println!(", 'let s = "one', "/* begun", "let x =", "#[derive(Debug)]"]
    invalid_code_samples = ["fn f() )", "let x = (1];"]
    code_generate_error = 'panic!("on purpose");'
    code_execute_result = [
        {"code": "1 + 1", "result": "2"},
        {"code": 'format!("a{}", 1)', "result": '"a1"'},
        {"code": "vec![1, 2]", "result": "[1, 2]"},
        {
            "code": f"struct Bold;\nimpl Bold {{\n    fn evcxr_display(&self) {{ {BLOCK % '<b>1</b>'} }}\n}}\nBold",
            "result": "<b>1</b>",
            "mime": "text/html",
        },
    ]
    code_display_data = [
        {"code": APC % '{"msg_type":"display_data","content":{"data":{"text/html":"<b>2</b>"},"metadata":{}}}', "mime": "text/html"},
        {"code": BLOCK % "<b>3</b>", "mime": "text/html"},
    ]
    code_history_pattern = "1?+*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "Vec"
    code_clear_output = APC % '{"msg_type":"clear_output","content":{"wait":false}}'

    @classmethod
    def setUpClass(cls) -> None:
        cls.km, cls.kc = start_new_kernel(kernel_name=cls.kernel_name, cwd=str(ROOT / "notebooks"))


class WelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    """Who listens on iopub hears at once that it does."""

    kernel_name = "petal"
    support_iopub_welcome = True
