//! The kernel: what front ends ask, what the cells' process says, and evcxr between them.

mod comms;
mod control;
mod ending;
mod errors;
mod execute;
mod flush;
mod folder;
mod help;
mod history;
mod inbox;
mod info;
mod input;
mod output;
mod process;
mod record;
mod shell;
mod stale;
mod stop;
mod tree;
mod worker;

use crate::wire::{Connection, Publisher, Session};
use comms::Comms;
use folder::Folder;
use history::History;
use inbox::Inbox;
use input::Input;
use output::Output;
use process::Process;
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use stop::Stop;
use worker::Job;

/// What the kernel's threads share.
pub(crate) struct Kernel {
    session: Session,
    output: Arc<Output>,
    process: Arc<Process>,
    stop: Arc<Stop>,
    comms: Arc<Comms>,
    history: Mutex<History>,
    input: Input,
    jobs: Sender<Job>,
    /// Cells that run or wait.
    cells: AtomicUsize,
    folder: Folder,
}

impl Kernel {
    /// Whether a cell runs or waits.
    fn is_busy(&self) -> bool {
        self.cells.load(Ordering::SeqCst) > 0
    }
}

/// Serves the channels that the connection file names, until asked to end.
pub(crate) fn run(file: &Path) -> Result<(), String> {
    let connection = Connection::read(file)?;
    let session = Session::new(connection.key.clone());
    let [shell, control, iopub, stdin, heartbeat] =
        ["shell", "control", "iopub", "stdin", "hb"].map(|name| connection.listen(name));
    let welcoming = session.clone();
    let publisher = Publisher::serve(iopub?, move |topic| {
        welcoming.write(
            &[b"iopub_welcome".to_vec()],
            "iopub_welcome",
            &json!({}),
            &json!({}),
            &json!({ "subscription": topic }),
            &[],
        )
    });
    let folder = Folder::create().map_err(|error| format!("no folder for the kernel's sockets: {error}"))?;
    let output = Arc::new(Output::new(session.clone(), publisher));
    let inbox = Inbox::listen(&folder.inbox()).map_err(|error| format!("no socket for the cells' process: {error}"))?;
    let comms = Arc::new(Comms::new(Arc::clone(&output), inbox));
    let stop = Arc::new(Stop::new(folder.stop()));
    let process = Process::listen(&folder.socket(), Arc::clone(&output), Arc::clone(&comms), Arc::clone(&stop))
        .map_err(|error| format!("no socket for the cells' process: {error}"))?;
    let (jobs, waiting) = std::sync::mpsc::channel();
    let input = Input::serve(stdin?, session.clone());
    let kernel = Arc::new(Kernel {
        session,
        output,
        process,
        stop,
        comms,
        history: Mutex::default(),
        input,
        jobs,
        cells: AtomicUsize::new(0),
        folder,
    });
    kernel.output.status(&json!({}), "starting");
    heartbeat?.echo();
    shell::serve(&kernel, shell?);
    control::serve(&kernel, control?);
    ending::watch(&kernel);
    worker::work(&kernel, waiting);
    Ok(())
}

/// The value behind a lock; a thread that panicked with it has left it usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|held| held.into_inner())
}
