//! Jupyter's Stop: first a word to the process, which ends what it does at its next safe point; then its end.

use super::{lock, tree};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// A second press counts as one after so long; a double click is one press.
const PRESS: Duration = Duration::from_millis(400);

/// So many times as long is waited for a process that has heard: it may have much to save.
const LONGER: u32 = 12;

/// What is to be stopped.
pub(crate) struct Stop {
    file: PathBuf,
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    cell: u64,
    phase: Phase,
    asked: Option<Instant>,
    killed: bool,
    process: Option<u32>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Phase {
    #[default]
    Idle,
    Compiling,
    Running,
}

/// What came of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// None was asked for.
    No,
    /// The cell ended by itself.
    Gently,
    /// The process was ended.
    Killed,
}

impl Stop {
    pub(crate) fn new(file: PathBuf) -> Stop {
        let patience = std::env::var("PETAL_STOP_PATIENCE")
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|seconds| *seconds >= 0.0);
        Stop {
            file,
            patience: Duration::try_from_secs_f64(patience.unwrap_or(10.0)).unwrap_or(Duration::MAX),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// A cell begins.
    pub(super) fn begin(&self) {
        let mut state = lock(&self.state);
        state.cell += 1;
        state.phase = Phase::Compiling;
        state.asked = None;
        state.killed = false;
        let _ = std::fs::remove_file(&self.file);
    }

    /// The cell has ended.
    pub(super) fn end(&self) -> Stopped {
        let mut state = lock(&self.state);
        state.phase = Phase::Idle;
        let stopped = match (state.asked, state.killed) {
            (None, _) => Stopped::No,
            (_, false) => Stopped::Gently,
            _ => Stopped::Killed,
        };
        self.changed.notify_all();
        stopped
    }

    /// Whether a stop is asked for.
    pub(super) fn is_asked(&self) -> bool {
        lock(&self.state).asked.is_some()
    }

    /// The process that runs cells has this number.
    pub(super) fn process_is(&self, id: u32) {
        lock(&self.state).process = Some(id);
    }

    /// The cell is compiled, and runs.
    pub(super) fn runs(&self) {
        self.enter(Phase::Running);
    }

    /// The cell has run; evcxr may compile it once more.
    pub(super) fn ran(&self) {
        self.enter(Phase::Compiling);
    }

    fn enter(&self, phase: Phase) {
        let mut state = lock(&self.state);
        if state.phase != Phase::Idle {
            state.phase = phase;
        }
        self.changed.notify_all();
    }

    /// Stop was pressed. Without a cell, nothing is done.
    pub(super) fn ask(self: &Arc<Stop>) {
        let mut state = lock(&self.state);
        if state.phase == Phase::Idle {
            return;
        }
        match state.asked {
            None => {
                let _ = std::fs::write(&self.file, "");
                state.asked = Some(Instant::now());
                let (ours, cell) = (Arc::clone(self), state.cell);
                std::thread::spawn(move || ours.see_to_it(cell));
            }
            Some(first) if first.elapsed() >= PRESS => kill(&mut state),
            Some(_) => {}
        }
    }

    /// Ends what compiles at once, and what runs when its time is up.
    fn see_to_it(&self, cell: u64) {
        let mut state = lock(&self.state);
        let mut until = Instant::now().checked_add(self.patience);
        let mut waits_longer = false;
        while state.cell == cell && state.phase != Phase::Idle && !state.killed {
            if state.phase == Phase::Compiling {
                let process = state.process;
                drop(state);
                tree::end_all_but(process);
                state = lock(&self.state);
                // It may be rust-analyzer that works, which nothing ends; the time is that of a cell that runs.
                until = Instant::now().checked_add(self.patience);
            } else if until.is_some_and(|until| Instant::now() >= until) {
                match self.is_heard() {
                    true if !waits_longer => {
                        waits_longer = true;
                        until = Instant::now().checked_add(self.patience.saturating_mul(LONGER));
                    }
                    _ => kill(&mut state),
                }
            }
            state =
                self.changed.wait_timeout(state, Duration::from_millis(50)).unwrap_or_else(|held| held.into_inner()).0;
        }
    }

    /// Whether the process has seen that a stop is asked for: what it does now is to end.
    fn is_heard(&self) -> bool {
        std::fs::read(&self.file).is_ok_and(|text| text == b"heard")
    }

    /// Ends all processes: the kernel ends.
    pub(super) fn end_everything(&self) {
        if let Some(id) = lock(&self.state).process {
            // SAFETY: takes no pointers; the process is the kernel's.
            unsafe { libc::kill(id as i32, libc::SIGKILL) };
        }
        tree::end_all_but(None);
    }
}

fn kill(state: &mut State) {
    if state.phase == Phase::Running
        && let Some(id) = state.process
    {
        state.killed = true;
        // SAFETY: takes no pointers; the process is the kernel's, and the cell runs in it.
        unsafe { libc::kill(id as i32, libc::SIGKILL) };
    }
}
