//! The channel `control`: stop and shut down, heard also while a cell runs.

use super::{Kernel, ending, info};
use crate::wire::Listener;
use serde_json::json;
use std::sync::Arc;

pub(super) fn serve(kernel: &Arc<Kernel>, listener: Listener) {
    let kernel = Arc::clone(kernel);
    listener.route(move |peer, frames| {
        if frames.is_empty() {
            return;
        }
        let message = match kernel.session.read(frames) {
            Ok(message) => message,
            Err(error) => return eprintln!("petal-kernel: a message was dropped: {error}"),
        };
        kernel.output.status(&message.header, "busy");
        let ends = message.kind() == "shutdown_request";
        let content = match message.kind() {
            "kernel_info_request" => info::kernel_info(),
            "interrupt_request" => {
                kernel.stop.ask();
                json!({ "status": "ok" })
            }
            "shutdown_request" => json!({ "status": "ok", "restart": message.flag("restart", false) }),
            _ => json!({ "status": "error", "ename": "Unknown", "evalue": format!("petal-kernel knows no {}", message.kind()), "traceback": [] }),
        };
        peer.send(&kernel.session.reply(&message, &content));
        if ends {
            kernel.output.answer("shutdown_reply", &message.header, &content, &[]);
        }
        kernel.output.status(&message.header, "idle");
        if ends {
            ending::end(&kernel);
        }
        if kernel.is_busy() {
            kernel.output.still_busy();
        }
    });
}
