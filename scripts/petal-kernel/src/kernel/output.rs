//! What the kernel shows, on iopub, in answer to the request at hand.

use super::lock;
use crate::wire::{Publisher, Session};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

/// Shows things to all front ends.
pub(crate) struct Output {
    session: Session,
    publisher: Publisher,
    /// The header of the request that outputs belong to: of the cell at hand, or of what was last.
    parent: Mutex<Value>,
}

impl Output {
    pub(crate) fn new(session: Session, publisher: Publisher) -> Output {
        Output { session, publisher, parent: Mutex::new(Value::Null) }
    }

    /// What is shown from now on belongs to this request.
    pub(crate) fn belongs_to(&self, header: &Value) {
        *lock(&self.parent) = header.clone();
    }

    /// Shows a message of this kind.
    pub(crate) fn show(&self, kind: &str, content: &Value) {
        self.relay(kind, content, &Value::Null, &[]);
    }

    /// Shows a message with all that one can have.
    pub(crate) fn relay(&self, kind: &str, content: &Value, metadata: &Value, buffers: &[Vec<u8>]) {
        let parent = lock(&self.parent).clone();
        self.send(kind, &parent, content, metadata, buffers);
    }

    /// Shows text on `stdout` or `stderr`.
    pub(crate) fn text(&self, stream: &str, text: &str) {
        if !text.is_empty() {
            self.show("stream", &json!({ "name": stream, "text": text }));
        }
    }

    /// Says `busy` or `idle` for a request.
    pub(crate) fn status(&self, parent: &Value, state: &str) {
        self.send("status", parent, &json!({ "execution_state": state }), &Value::Null, &[]);
    }

    /// Shows a message in answer to another request than the one at hand.
    pub(crate) fn answer(&self, kind: &str, parent: &Value, content: &Value, buffers: &[Vec<u8>]) {
        self.send(kind, parent, content, &Value::Null, buffers);
    }

    /// Says once more that the kernel is busy with the cell at hand: a smaller request has just been idle.
    pub(crate) fn still_busy(&self) {
        let parent = lock(&self.parent).clone();
        self.status(&parent, "busy");
    }

    /// Waits until all is sent, but not for ever.
    pub(crate) fn finish(&self) {
        self.publisher.finish(Duration::from_secs(1));
    }

    fn send(&self, kind: &str, parent: &Value, content: &Value, metadata: &Value, buffers: &[Vec<u8>]) {
        self.publisher.send(&self.session.write(&[kind.as_bytes().to_vec()], kind, parent, metadata, content, buffers));
    }
}
