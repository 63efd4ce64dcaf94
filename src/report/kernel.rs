//! What petal says to a kernel that shows things while a cell runs (ARCHITECTURE.md, "What a cell and the kernel say to each other").
//!
//! A message of Jupyter's own kind goes in band on the standard output, so that it stands in order with the text around it. Under any other
//! kernel, and in a terminal, nothing of this is said.

use std::io::Write;
use std::path::PathBuf;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::base::files;

/// Whether a kernel reads what this file writes.
pub(super) fn is_listening() -> bool {
    std::env::var_os("PETAL_KERNEL").is_some_and(|version| version == "1")
}

/// Whether a stop is asked for: Jupyter's Stop, while a cell runs. Whoever asks here is about to end: that is told to the kernel, which waits for it then.
pub(crate) fn is_stop_asked() -> bool {
    let asked = stop_file().filter(|file| file.exists());
    if let Some(file) = &asked {
        // Where it cannot be told, the kernel's patience is shorter.
        let _ = files::publish(file, HEARD);
    }
    asked.is_some()
}

/// What the file says once it was seen.
const HEARD: &[u8] = b"heard";

/// The file whose being there asks for a stop.
pub(super) fn stop_file() -> Option<PathBuf> {
    is_listening().then(|| std::env::var_os("PETAL_STOP").map(PathBuf::from)).flatten()
}

/// Says one message. Who listens may be gone: then nobody is left to be told.
pub(super) fn say(kind: &str, content: &Value, metadata: Option<&Value>) {
    let mut message = json!({ "msg_type": kind, "content": content });
    if let Some(metadata) = metadata {
        message["metadata"] = metadata.clone();
    }
    // One write: what another thread prints stands before it or after it.
    let framed = format!("\x1b_petal:{message}\x1b\\");
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(framed.as_bytes()).and_then(|()| out.flush());
}

/// A name that no other message, process or kernel uses: when it was made, and by which process.
pub(super) fn new_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("petal-{:x}-{:x}", process::id(), since.as_nanos())
}

/// A display that can be shown anew while its cell runs, and after.
#[derive(Clone, Debug)]
pub(super) struct Display {
    id: String,
}

impl Display {
    /// Shows something, a text for each MIME type; none where no kernel listens.
    pub(super) fn new(contents: &[(&str, &str)]) -> Option<Self> {
        is_listening().then(|| {
            let display = Self { id: new_id() };
            display.say("display_data", data(contents));
            display
        })
    }

    /// Shows something else in its place.
    pub(super) fn update(&self, contents: &[(&str, &str)]) {
        self.say("update_display_data", data(contents));
    }

    /// Shows a widget.
    pub(super) fn widget(model: &str, instead: &str) -> Self {
        let display = Self { id: new_id() };
        let view = json!({ "version_major": 2, "version_minor": 0, "model_id": model });
        display.say("display_data", json!({ "application/vnd.jupyter.widget-view+json": view, "text/plain": instead }));
        display
    }

    fn say(&self, kind: &str, data: Value) {
        say(kind, &json!({ "data": data, "metadata": {}, "transient": { "display_id": self.id } }), None);
    }
}

fn data(contents: &[(&str, &str)]) -> Value {
    Value::Object(contents.iter().map(|(mime, text)| (mime.to_string(), Value::from(*text))).collect::<Map<_, _>>())
}
