//! Long work tells how far it is, and hears whether to go on.
//!
//! It is the one way in which a bar, a notebook's cell or a person's Stop reach into a download, a split or a training: whatever takes long takes
//! a [`Progress`] and tells it, at each place where it can end without leaving anything half done. The same trait serves other crates: what
//! shows petal's work shows theirs.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::error::{Error, ErrorKind, Result};

/// What work is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Photos.
    #[default]
    Photos,
    /// Files of any kind.
    Files,
    /// Bytes.
    Bytes,
    /// Steps of a training.
    Steps,
    /// Epochs of trainings.
    Epochs,
}

/// How far a long piece of work is.
///
/// ```
/// use std::ops::ControlFlow;
/// use petal::{Progress, Unit, Work};
///
/// // A loop of your own, to be shown by anything that shows work:
/// fn count(progress: &mut dyn Progress) -> petal::Result<u64> {
///     let mut work = Work::new("counting", Unit::Photos, 1000);
///     let mut sum = 0;
///     for photo in 0..1000 {
///         work.at(photo, progress)?; // a stop ends it here, as an error
///         sum += photo;
///     }
///     work.end(progress)?;
///     Ok(sum)
/// }
///
/// let mut told = 0;
/// let sum = count(&mut |work: &Work| {
///     told = work.done;
///     ControlFlow::Continue(())
/// });
/// assert_eq!((sum?, told), (499_500, 1000));
///
/// let stopped = count(&mut |work: &Work| {
///     if work.done < 7 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
/// });
/// assert_eq!(stopped.unwrap_err().kind(), petal::ErrorKind::Interrupted);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// What is done, as a bar says it: `downloading`.
    pub name: Cow<'static, str>,
    /// What is counted.
    pub unit: Unit,
    /// How much is done.
    pub done: u64,
    /// Of how much; 0 where that is not known.
    pub total: u64,
}

/// Who hears of long work.
pub trait Progress {
    /// How far it is, told often (once a batch, or a piece of a download): whoever draws does so now and then. [`ControlFlow::Break`] asks it
    /// to end here, which it does as an error of the kind [`ErrorKind::Interrupted`].
    fn tell(&mut self, work: &Work) -> ControlFlow<()>;
}

impl<F: FnMut(&Work) -> ControlFlow<()>> Progress for F {
    fn tell(&mut self, work: &Work) -> ControlFlow<()> {
        self(work)
    }
}

/// Nobody hears of the work, and nobody stops it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unheard;

impl Progress for Unheard {
    fn tell(&mut self, _: &Work) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Work {
    /// Work of which nothing is done yet.
    pub fn new(name: impl Into<Cow<'static, str>>, unit: Unit, total: u64) -> Self {
        Self { name: name.into(), unit, done: 0, total }
    }

    /// Tells that so much is done.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if it is to end here.
    pub fn at(&mut self, done: u64, progress: &mut dyn Progress) -> Result<()> {
        self.done = done;
        match progress.tell(self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(self.stopped()),
        }
    }

    /// Tells that all is done.
    ///
    /// # Errors
    /// Those of [`Work::at`].
    pub fn end(&mut self, progress: &mut dyn Progress) -> Result<()> {
        self.total = self.total.max(self.done);
        self.at(self.total, progress)
    }

    /// How much is done, from 0 to 1; none where the whole is not known.
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).min(1.0))
    }

    fn stopped(&self) -> Error {
        let of = if self.total > 0 { format!(" of {}", self.total) } else { String::new() };
        let unit = match self.unit {
            Unit::Photos => "photos",
            Unit::Files => "files",
            Unit::Bytes => "bytes",
            Unit::Steps => "steps",
            Unit::Epochs => "epochs",
        };
        Error::new(ErrorKind::Interrupted, format!("{} was stopped after {}{of} {unit}", self.name, self.done))
            .mend("run this again when you want it; nothing was left half done")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_says_where_and_unknown_totals_have_no_share() {
        let mut stop = |_: &Work| ControlFlow::Break(());
        let error = Work::new("downloading", Unit::Bytes, 10).at(4, &mut stop).unwrap_err();
        assert_eq!(
            (error.kind(), error.what()),
            (ErrorKind::Interrupted, "downloading was stopped after 4 of 10 bytes")
        );
        let mut unknown = Work::new("unpacking", Unit::Files, 0);
        unknown.at(3, &mut Unheard).unwrap();
        assert_eq!(unknown.share(), None);
        unknown.end(&mut Unheard).unwrap();
        assert_eq!((unknown.done, unknown.share()), (3, Some(1.0)));
    }
}
