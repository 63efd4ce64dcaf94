//! Comms: the front ends' widgets, and what of them lives in the cells' process.

use super::inbox::Inbox;
use super::lock;
use super::output::Output;
use crate::wire::Message;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// By this target ipywidgets asks for the states of all widgets.
const CONTROL: &str = "jupyter.widget.control";

/// All comms that are open.
pub(crate) struct Comms {
    output: Arc<Output>,
    inbox: Inbox,
    open: Mutex<BTreeMap<String, Comm>>,
}

/// One comm; of a widget, what its state is.
#[derive(Default)]
struct Comm {
    target: String,
    state: Map<String, Value>,
    /// What in the state is no JSON: where, and the bytes.
    buffers: Vec<(Vec<Value>, Vec<u8>)>,
}

impl Comms {
    pub(crate) fn new(output: Arc<Output>, inbox: Inbox) -> Comms {
        Comms { output, inbox, open: Mutex::default() }
    }

    /// A message of the process, which goes to all front ends as it is.
    pub(crate) fn process_says(&self, kind: &str, content: &Value, metadata: &Value, buffers: &[Vec<u8>]) {
        self.note(kind, content, buffers);
        self.output.relay(kind, content, metadata, buffers);
    }

    /// A message of a front end, which goes to the process.
    pub(crate) fn front_end_says(&self, message: &Message) {
        let (kind, content) = (message.kind(), &message.content);
        let id = message.text("comm_id");
        let control = kind == "comm_open" && message.text("target_name") == CONTROL
            || lock(&self.open).get(id).is_some_and(|comm| comm.target == CONTROL);
        self.note(kind, content, &message.buffers);
        if control {
            if content["data"]["method"] == "request_states" {
                self.tell_states(message, id);
            }
            return;
        }
        let buffers: Vec<String> = message.buffers.iter().map(|buffer| STANDARD.encode(buffer)).collect();
        let heard = self
            .inbox
            .put(&json!({ "msg_type": kind, "content": content, "metadata": message.metadata, "buffers": buffers }));
        if !heard && kind == "comm_open" {
            lock(&self.open).remove(id);
            self.output.answer("comm_close", &message.header, &json!({ "comm_id": id, "data": {} }), &[]);
        }
    }

    /// What `comm_info_request` is answered with.
    pub(crate) fn info(&self, target: &str) -> Value {
        let open = lock(&self.open);
        let named: Map<String, Value> = open
            .iter()
            .filter(|(_, comm)| target.is_empty() || comm.target == target)
            .map(|(id, comm)| (id.clone(), json!({ "target_name": comm.target })))
            .collect();
        json!({ "status": "ok", "comms": named })
    }

    /// The process is gone, and all of its comms with it.
    pub(crate) fn lost(&self) {
        let mut open = lock(&self.open);
        for (id, _) in open.iter().filter(|(_, comm)| comm.target != CONTROL) {
            self.output.show("comm_close", &json!({ "comm_id": id, "data": {} }));
        }
        open.retain(|_, comm| comm.target == CONTROL);
    }

    fn note(&self, kind: &str, content: &Value, buffers: &[Vec<u8>]) {
        let Some(id) = content["comm_id"].as_str() else { return };
        let mut open = lock(&self.open);
        match kind {
            "comm_open" => {
                let target = content["target_name"].as_str().unwrap_or_default().to_owned();
                let mut comm = Comm { target, ..Comm::default() };
                comm.update(&content["data"], buffers);
                open.insert(id.to_owned(), comm);
            }
            "comm_msg" => {
                if let Some(comm) = open.get_mut(id)
                    && content["data"]["method"] == "update"
                {
                    comm.update(&content["data"], buffers);
                }
            }
            _ => {
                open.remove(id);
            }
        }
    }

    fn tell_states(&self, message: &Message, id: &str) {
        let open = lock(&self.open);
        let (mut states, mut paths, mut buffers) = (Map::new(), Vec::new(), Vec::new());
        for (name, comm) in open.iter().filter(|(_, comm)| comm.target == "jupyter.widget") {
            let word = |key: &str| comm.state.get(key).cloned().unwrap_or_default();
            let state = json!({
                "model_name": word("_model_name"), "model_module": word("_model_module"),
                "model_module_version": word("_model_module_version"), "state": comm.state,
            });
            states.insert(name.clone(), state);
            for (path, bytes) in &comm.buffers {
                let mut whole = vec![json!(name), json!("state")];
                whole.extend(path.iter().cloned());
                paths.push(Value::Array(whole));
                buffers.push(bytes.clone());
            }
        }
        let data = json!({ "method": "update_states", "states": states, "buffer_paths": paths });
        drop(open);
        self.output.answer("comm_msg", &message.header, &json!({ "comm_id": id, "data": data }), &buffers);
    }
}

impl Comm {
    fn update(&mut self, data: &Value, buffers: &[Vec<u8>]) {
        for (key, value) in data["state"].as_object().into_iter().flatten() {
            self.state.insert(key.clone(), value.clone());
            self.buffers.retain(|(path, _)| path.first().and_then(Value::as_str) != Some(key));
        }
        for (path, bytes) in data["buffer_paths"].as_array().into_iter().flatten().zip(buffers) {
            let path = path.as_array().cloned().unwrap_or_default();
            self.buffers.retain(|(known, _)| *known != path);
            self.buffers.push((path, bytes.clone()));
        }
    }
}
