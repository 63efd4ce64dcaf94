//! The socket from which the cells' process reads the front ends' comm messages, one a line.

use super::lock;
use serde_json::Value;
use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// All that are connected.
pub(crate) struct Inbox {
    readers: Arc<Mutex<Vec<UnixStream>>>,
}

impl Inbox {
    pub(crate) fn listen(path: &Path) -> io::Result<Inbox> {
        let listener = UnixListener::bind(path)?;
        let readers = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&readers);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // One that does not read must not hold up the kernel.
                let _ = stream.set_write_timeout(Some(Duration::from_millis(500)));
                lock(&theirs).push(stream);
            }
        });
        Ok(Inbox { readers })
    }

    /// Sends a message to all that are connected; false where nobody is.
    pub(crate) fn put(&self, message: &Value) -> bool {
        let line = format!("{message}\n");
        let mut readers = lock(&self.readers);
        readers.retain_mut(|reader| reader.write_all(line.as_bytes()).is_ok());
        !readers.is_empty()
    }
}
