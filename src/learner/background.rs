//! Training in a thread of its own, while the notebook's cells stay free.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use super::Learner;
use super::fit::Fitted;
use crate::base::error::{Error, ErrorKind, Result};
use crate::report::live::Live;
use crate::report::progress;
use crate::report::telling::{Telling, asked_to_stop};
use crate::report::{View, shows};
use crate::train::{Phase, Run, Status};

/// How often [`Background::wait`] looks whether it is over.
const PAUSE: Duration = Duration::from_millis(50);

/// A training that runs in a thread of its own. Other cells may look at it and stop it; [`Background::wait`] gives the learner back.
///
/// Under a kernel that shows what changes, a display of the cell that began it grows, also between cells. Under another one the thread prints
/// nothing: what is printed between two cells would block it there, since such a kernel reads only while a cell runs.
/// When this value is dropped without waiting, training stops after the current step, with everything kept on disk.
#[derive(Debug)]
pub struct Background {
    run: Run,
    live: Arc<Mutex<Live>>,
    stop: Arc<AtomicBool>,
    /// What [`Learner::fit`] would have printed so far.
    lines: Receiver<String>,
    /// None once it was waited for.
    thread: Option<JoinHandle<(Learner, Result<Fitted>)>>,
}

impl Learner {
    /// [`Learner::fit`] in a thread of its own. It takes the learner; [`Background::wait`] gives it back, after an error too.
    ///
    /// # Errors
    /// Only that the system has no thread left: what goes wrong in training, `wait` tells.
    pub fn fit_in_background(mut self, phase: &Phase) -> Result<Background> {
        let settled = self.settle(phase);
        let run = self.run.clone();
        let live = Arc::new(Mutex::new(Live::new(&run)));
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, lines) = channel();
        // Nobody may be listening any more: then nobody wants the lines.
        let mut telling = Telling::new(&run, move |line| drop(sender.send(line.to_string())));
        let work = {
            let (phase, live, stop) = (phase.clone(), Arc::clone(&live), Arc::clone(&stop));
            move || {
                let mut learner = self;
                let fitted = catch_unwind(AssertUnwindSafe(|| {
                    let note = settled?;
                    let fitted = learner.fit_shown(&phase, note, &live, &mut |event| {
                        telling.observe(event);
                        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    })?;
                    let is_shown = telling.end(&fitted.ended, &fitted.history);
                    Ok(Fitted { is_shown, ..fitted })
                }));
                let fitted = fitted.unwrap_or_else(|panic| Err(bug(panic.as_ref())));
                (learner, fitted)
            }
        };
        let thread = Builder::new().name("petal training".into()).spawn(work).map_err(|cause| {
            Error::new(ErrorKind::Memory, format!("the system gives no thread to train in: {cause}"))
                .mend("make the learner anew and use fit(), which needs none")
        })?;
        Ok(Background { run, live, stop, lines, thread: Some(thread) })
    }
}

impl Background {
    /// The run that it trains in: its folder.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).status().clone()
    }

    /// Whether it has ended, one way or another.
    pub fn is_done(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks it to stop after the current step, with everything kept. Does not wait.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for its end, prints the lines of [`Learner::fit`] as they come, those from before first, and gives back the learner
    /// and what the training came to.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cell(learner: Learner, phase: Phase) -> Result<()> {
    /// let run = learner.fit_in_background(&phase)?;
    /// let (learner, fitted) = run.wait();
    /// fitted?;
    /// # drop(learner); Ok(()) }
    /// ```
    pub fn wait(mut self) -> (Learner, Result<Fitted>) {
        loop {
            match self.lines.recv_timeout(PAUSE) {
                Ok(line) => println!("{line}"),
                Err(_) if self.is_done() => break,
                // Nothing is printed where a display grows.
                Err(RecvTimeoutError::Disconnected) => sleep(PAUSE),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if asked_to_stop().is_break() {
                self.stop();
            }
        }
        let Some(thread) = self.thread.take() else {
            unreachable!("only this method takes the thread, and it takes self")
        };
        // The thread catches its panics itself.
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// How it stands, and all epochs of the run so far.
    pub fn view(&self) -> View {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let view = View::new(progress::line(live.status()));
        let view = if live.history().epochs.is_empty() { view } else { view.and(live.history().view()) };
        view.hint(
            "run.stop() ends it after the current step; let (mut learner, fitted) = run.wait(); gives the learner back",
        )
    }
}

shows!(Background);

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bug(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason was given".into());
    Error::new(ErrorKind::Bug, format!("training panicked: {text}"))
        .mend("this is a fault of petal; the last checkpoint is whole, so that fit() goes on from there")
}
