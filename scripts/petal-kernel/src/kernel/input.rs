//! The channel `stdin`: questions to the person at the front end.

use super::lock;
use crate::wire::{Listener, Message, Peer, Session};
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Asks front ends.
pub(crate) struct Input {
    session: Session,
    front_ends: Arc<Mutex<Vec<Arc<Peer>>>>,
    answers: Mutex<Receiver<Message>>,
}

impl Input {
    pub(crate) fn serve(listener: Listener, session: Session) -> Input {
        let front_ends: Arc<Mutex<Vec<Arc<Peer>>>> = Arc::default();
        let (sender, answers) = std::sync::mpsc::channel();
        let (theirs, reading) = (Arc::clone(&front_ends), session.clone());
        let sender = Mutex::new(sender);
        listener.route(move |peer, frames| {
            if frames.is_empty() {
                lock(&theirs).push(Arc::clone(peer));
            } else if let Ok(message) = reading.read(frames) {
                let _ = lock(&sender).send(message);
            }
        });
        Input { session, front_ends, answers: Mutex::new(answers) }
    }

    /// Asks the front end that has sent the request, and waits for the answer; empty where it cannot be asked, or `given_up` says so.
    pub(super) fn ask(
        &self,
        request: &Message,
        identity: &[u8],
        prompt: &str,
        password: bool,
        given_up: impl Fn() -> bool,
    ) -> String {
        if !request.flag("allow_stdin", true) {
            return String::new();
        }
        let Some(peer) = lock(&self.front_ends).iter().rev().find(|peer| peer.identity == identity).cloned() else {
            return String::new();
        };
        let answers = lock(&self.answers);
        while answers.try_recv().is_ok() {}
        let content = json!({ "prompt": prompt, "password": password });
        peer.send(&self.session.write(&request.routing, "input_request", &request.header, &Value::Null, &content, &[]));
        loop {
            match answers.recv_timeout(Duration::from_millis(100)) {
                Ok(answer) if answer.kind() == "input_reply" => return answer.text("value").replace('\n', " "),
                Err(RecvTimeoutError::Disconnected) => return String::new(),
                _ if given_up() => return String::new(),
                _ => {}
            }
        }
    }
}
