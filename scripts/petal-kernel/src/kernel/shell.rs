//! The channel `shell`: cells and questions about code wait for their turn, all else is answered at once, also while a cell runs.

use super::worker::Job;
use super::{Kernel, info, lock};
use crate::wire::{Listener, Message, Peer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) fn serve(kernel: &Arc<Kernel>, listener: Listener) {
    let kernel = Arc::clone(kernel);
    listener.route(move |peer, frames| {
        if frames.is_empty() {
            return;
        }
        match kernel.session.read(frames) {
            Ok(message) => hear(&kernel, peer, message),
            Err(error) => eprintln!("petal-kernel: a message was dropped: {error}"),
        }
    });
}

fn hear(kernel: &Arc<Kernel>, peer: &Arc<Peer>, message: Message) {
    match message.kind() {
        "execute_request" => {
            kernel.cells.fetch_add(1, Ordering::SeqCst);
            let _ = kernel.jobs.send(Job { peer: Arc::clone(peer), message });
        }
        // While a cell runs, evcxr cannot look at code: no answer would come until the cell ends.
        "complete_request" | "inspect_request" if !kernel.is_busy() => {
            let _ = kernel.jobs.send(Job { peer: Arc::clone(peer), message });
        }
        _ => {
            kernel.output.status(&message.header, "busy");
            if let Some(content) = answer(kernel, &message) {
                peer.send(&kernel.session.reply(&message, &content));
            }
            kernel.output.status(&message.header, "idle");
            if kernel.is_busy() {
                kernel.output.still_busy();
            }
        }
    }
}

/// The answer to a request that needs no evcxr.
fn answer(kernel: &Arc<Kernel>, message: &Message) -> Option<Value> {
    Some(match message.kind() {
        "kernel_info_request" => info::kernel_info(),
        "is_complete_request" => info::is_complete(message.text("code")),
        "history_request" => lock(&kernel.history).answer(&message.content),
        "comm_info_request" => kernel.comms.info(message.text("target_name")),
        "comm_open" | "comm_msg" | "comm_close" => {
            if !kernel.is_busy() {
                kernel.output.belongs_to(&message.header);
            }
            kernel.comms.front_end_says(message);
            return None;
        }
        "complete_request" => {
            let at = &message.content["cursor_pos"];
            json!({ "status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {} })
        }
        "inspect_request" => json!({ "status": "ok", "found": false, "data": {}, "metadata": {} }),
        _ => return None,
    })
}
