//! The thread that has evcxr: one cell, or one question about code, after the other.

use super::errors::Fault;
use super::execute::Runner;
use super::{Kernel, flush, help};
use crate::shim;
use crate::wire::{Message, Peer};
use evcxr::{CommandContext, EvalContext};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// A request that waits for evcxr.
pub(crate) struct Job {
    pub(super) peer: Arc<Peer>,
    pub(super) message: Message,
}

/// Works until the kernel ends.
pub(super) fn work(kernel: &Arc<Kernel>, jobs: Receiver<Job>) {
    let mut runner = Runner::new(start(kernel));
    warm(&mut runner);
    let mut waiting = VecDeque::new();
    while let Some(job) = waiting.pop_front().or_else(|| jobs.recv().ok()) {
        let Job { peer, message } = &job;
        if message.kind() == "execute_request" {
            kernel.output.status(&message.header, "busy");
            kernel.output.belongs_to(&message.header);
            let answer = runner.execute(kernel, peer, message, || {
                waiting.extend(std::iter::from_fn(|| jobs.try_recv().ok()));
                waiting.iter().filter_map(|job: &Job| job.message.cell().map(str::to_owned)).collect()
            });
            let mut aborted = VecDeque::new();
            if answer.aborts {
                // What was sent before the answer was sent without knowing it; it may be on its way still.
                std::thread::sleep(Duration::from_millis(20));
                waiting.extend(std::iter::from_fn(|| jobs.try_recv().ok()));
                (aborted, waiting) = waiting.into_iter().partition(|job: &Job| job.message.kind() == "execute_request");
            }
            kernel.cells.fetch_sub(1 + aborted.len(), Ordering::SeqCst);
            peer.send(&kernel.session.reply(message, &answer.content));
            kernel.output.status(&message.header, "idle");
            for job in aborted {
                abort(kernel, &job);
            }
        } else {
            kernel.output.status(&message.header, "busy");
            peer.send(&kernel.session.reply(message, &asked(&mut runner, message)));
            kernel.output.status(&message.header, "idle");
        }
    }
}

/// Loads ahead what the notebook's first cell will ask for: whoever opens a notebook reads it first. If this fails, that cell says why.
///
/// rust-analyzer forgets what it has parsed from one change of the code to the next. So it is asked about petal, the standard library and the type of a
/// variable all at once; until here, its standard library is an empty one (scripts/kernel/launch.py).
fn warm(runner: &mut Runner) {
    let Ok(dependency) = std::env::var("PETAL_KERNEL_WARM") else { return };
    if let (Some(link), Some(library)) = (std::env::var_os("RUST_SRC_PATH"), std::env::var_os("PETAL_KERNEL_LIBRARY"))
        && let Err(error) = std::fs::remove_file(&link).and_then(|()| std::os::unix::fs::symlink(library, &link))
    {
        eprintln!("petal-kernel: {}: {error}", link.display());
    }
    let Ok(context) = runner.context() else { return };
    let typed = format!("{dependency}\nlet ready = 0u8;\nready.");
    let _ = catch_unwind(AssertUnwindSafe(|| context.completions(&typed, typed.len())));
    // Cells are compiled otherwise from the first `?` on; the cell that has it would be compiled twice.
    let first = format!("{dependency}\nOk::<(), std::fmt::Error>(())?;");
    let _ = catch_unwind(AssertUnwindSafe(|| context.execute(&first)));
}

/// Says that a cell does not run since one before it failed.
fn abort(kernel: &Kernel, job: &Job) {
    kernel.output.status(&job.message.header, "busy");
    let content = json!({ "status": "aborted" });
    job.peer.send(&kernel.session.reply(&job.message, &content));
    kernel.output.status(&job.message.header, "idle");
}

/// The answer to a question about code. rust-analyzer may panic on odd code; that is no answer, and no more.
fn asked(runner: &mut Runner, message: &Message) -> Value {
    let help = match message.kind() {
        "complete_request" => help::complete,
        _ => help::inspect,
    };
    let answer = match runner.context() {
        Ok(context) => catch_unwind(AssertUnwindSafe(|| help(context, message))).ok(),
        Err(_) => None,
    };
    answer.unwrap_or_else(|| {
        let at = &message.content["cursor_pos"];
        json!({ "status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "found": false, "data": {}, "metadata": {} })
    })
}

/// Starts evcxr, with this program as the shim before the process that runs cells, and does what `evcxr.toml` asks for.
fn start(kernel: &Kernel) -> Result<CommandContext, Fault> {
    let fault = |error: String| Fault::of_start(&error);
    let folder = &kernel.folder;
    let mut command = Command::new(std::env::current_exe().map_err(|error| fault(error.to_string()))?);
    command.env(shim::SOCKET, folder.socket());
    command.env("PETAL_KERNEL", "1").env("PETAL_STOP", folder.stop()).env("PETAL_INBOX", folder.inbox());
    if let Some(library) = flush::library(folder.path()) {
        command.env(shim::FLUSH, library);
    }
    let started = catch_unwind(AssertUnwindSafe(|| EvalContext::with_subprocess_command(command)));
    let (context, outputs) = started
        .map_err(|_| fault("evcxr panicked; see the server's log".to_owned()))?
        .map_err(|error| fault(error.to_string()))?;
    std::thread::spawn(move || {
        for line in outputs.stderr {
            eprintln!("{line}");
        }
    });
    let mut context = CommandContext::with_eval_context(context);
    match context.execute(":load_config --quiet") {
        Ok(_) => Ok(context),
        Err(error) => Err(fault(format!("evcxr.toml: {error}"))),
    }
}
