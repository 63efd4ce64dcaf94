//! The connection file, by which Jupyter tells a kernel where to listen.

use super::Listener;
use serde_json::Value;
use std::path::Path;

/// Where a kernel listens, and with which key messages are signed.
pub(crate) struct Connection {
    transport: String,
    ip: String,
    settings: Value,
    /// The key of all signatures; empty where messages are not signed.
    pub(crate) key: Vec<u8>,
}

impl Connection {
    /// Reads the file that Jupyter wrote.
    pub(crate) fn read(file: &Path) -> Result<Connection, String> {
        let told = |error: String| format!("The connection file {} cannot be used: {error}", file.display());
        let text = std::fs::read_to_string(file).map_err(|error| told(error.to_string()))?;
        let settings: Value = serde_json::from_str(&text).map_err(|error| told(error.to_string()))?;
        let word = |name: &str| settings[name].as_str().unwrap_or_default().to_owned();
        let scheme = word("signature_scheme");
        if !scheme.is_empty() && scheme != "hmac-sha256" {
            return Err(told(format!("signatures of the scheme {scheme}; this kernel knows hmac-sha256")));
        }
        Ok(Connection { transport: word("transport"), ip: word("ip"), key: word("key").into_bytes(), settings })
    }

    /// Listens on the channel: `shell`, `control`, `iopub`, `stdin` or `hb`.
    pub(crate) fn listen(&self, channel: &str) -> Result<Listener, String> {
        let name = format!("{channel}_port");
        let port = self.settings[&name].as_u64().ok_or_else(|| format!("The connection file names no {name}"))?;
        let listener = match self.transport.as_str() {
            "tcp" | "" => Listener::tcp(&self.ip, port as u16),
            "ipc" => Listener::unix(Path::new(&format!("{}-{port}", self.ip))),
            other => return Err(format!("The transport {other} is not known: tcp and ipc are")),
        };
        listener.map_err(|error| format!("The kernel cannot listen on the channel {channel}, port {port}: {error}"))
    }
}
