//! What the kernel says of itself.

use crate::code::{Completeness, completeness};
use serde_json::{Value, json};

/// What `kernel_info_request` is answered with.
pub(super) fn kernel_info() -> Value {
    let link = |text: &str, url: &str| json!({ "text": text, "url": url });
    json!({
        "status": "ok",
        "protocol_version": "5.4",
        "implementation": env!("CARGO_PKG_NAME"),
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rust",
            "version": "",
            "mimetype": "text/rust",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
            "nbconvert_exporter": "script",
        },
        "banner": concat!("petal-kernel ", env!("CARGO_PKG_VERSION"), ": Rust by evcxr. `:help` lists its commands."),
        "debugger": false,
        "help_links": [
            link("petal", env!("CARGO_PKG_REPOSITORY")),
            link("Rust's standard library", "https://docs.rs/std"),
            link("Candle", "https://docs.rs/candle-core"),
            link("evcxr", "https://docs.rs/evcxr"),
        ],
    })
}

/// What `is_complete_request` is answered with.
pub(super) fn is_complete(code: &str) -> Value {
    match completeness(code) {
        Completeness::Complete => json!({ "status": "complete" }),
        Completeness::Incomplete(indent) => json!({ "status": "incomplete", "indent": " ".repeat(indent) }),
        Completeness::Invalid => json!({ "status": "invalid" }),
    }
}
