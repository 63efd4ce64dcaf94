//! Text as it may be shown: nothing in it is taken for markup, or for the kernel's protocol.

use crate::base::error::one_line;

/// Speaks the kernel's protocol for rich output: one block a MIME type.
pub(super) fn show(contents: &[(&str, &str)]) {
    for (mime, content) in contents {
        println!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT");
    }
}

/// Text that means itself in HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text that cannot move the cursor, break a line, or speak the kernel's protocol.
pub(super) fn printable(text: &str) -> String {
    let plain = one_line(text);
    // A name that says so at the start of a line would hang the kernel.
    plain.replace("EVCXR_", "EVCXR\u{2060}_")
}
