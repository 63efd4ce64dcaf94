//! Ctrl-C: the first asks the training to stop after its current step, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use petal::{Error, ErrorKind, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit status of what was stopped before its end: what a shell gives for Ctrl-C, 128 + SIGINT.
pub(crate) const STOPPED: u8 = 130;

/// Whether a stop was asked for.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over Ctrl-C and the polite request to end (SIGTERM) from here on.
    pub(crate) fn watch() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds nothing asked for, and asks; the second finds that, and ends the process.
            flag::register_conditional_shutdown(signal, i32::from(STOPPED), Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot watch for Ctrl-C: {cause}")))?;
        }
        Ok(Self(asked))
    }

    /// Whether a stop was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
