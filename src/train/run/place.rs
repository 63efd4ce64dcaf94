//! Which run a phase belongs to.
//!
//! A run is a row of phases, each of which starts from the best of those before it. So a phase that computes something else than the one of
//! its name belongs to another run: it begins where the phases before it ended, and the run that was there stays as it is. Runs are found
//! by what stands in their checkpoints, not by their folders' names.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::folder::Run;
use super::progress::{Begun, Progress, Standing};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::train::phase::Phase;

/// The runs of one network, one set of photos and one set of settings. They differ in what their phases compute.
#[derive(Clone, Debug)]
pub struct Family {
    /// The run that belongs to no phase yet: its settings, its photos, its weights.
    base: Run,
    /// What the names of the folders begin with.
    stem: String,
    /// Whether a person chose the name: then the first run's folder bears it as it is.
    is_named: bool,
}

/// Where a phase is to be trained, or was.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The run.
    pub run: Run,
    /// What a person should know of it: that it is another run than before, and why.
    pub note: Option<String>,
}

impl Family {
    /// The runs in this folder (`models/runs`) that are made with this, and whose names begin with that of the model.
    pub fn new(runs: &Path, model: &str, made_with: impl Into<std::collections::BTreeMap<String, String>>) -> Self {
        Self { base: Run::new(runs, made_with.into()), stem: model.into(), is_named: false }
    }

    /// The same for a run that a person gave a name to.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { stem: name.into(), is_named: true, ..self }
    }

    /// The run that holds most of these phases; a new one where none does. Nothing is written.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the folder cannot be listed.
    pub fn open(&self, plan: &[Phase]) -> Result<Run> {
        let held = |progress: &Progress| {
            let mut row = progress.phases.iter().zip(plan);
            row.by_ref().take_while(|(begun, phase)| begun.name == phase.name && is_held(progress, phase)).count()
        };
        let members = self.members()?.into_iter().map(|(run, progress)| {
            let held = held(&progress);
            // Of two that hold as much, the one with less beside it.
            ((held, std::cmp::Reverse(progress.phases.len())), run)
        });
        let best = members.filter(|((held, _), _)| *held > 0).reduce(|a, b| if b.0 > a.0 { b } else { a });
        Ok(match best {
            Some((_, run)) => run,
            None => self.first(plan.first()),
        })
    }

    /// Where a phase is to be trained, or was: in this run, if it can go on there; in another one that holds it; or in a new one that begins
    /// where the phases before it ended.
    ///
    /// # Errors
    /// What reading checkpoints gives, and writing the new run's.
    pub fn place(&self, run: &Run, phase: &Phase) -> Result<Placed> {
        let here = |note| Ok(Placed { run: run.clone(), note });
        let progress = run.progress()?;
        let standing = progress.standing(phase);
        let place = progress.place_of(&phase.name).unwrap_or(progress.phases.len());
        let before = &progress.phases[..place];
        match &standing {
            Standing::Done => return here(longer(&progress.phases[place], phase)),
            Standing::GoesOn => return here(None),
            _ => {}
        }
        if let Some(found) = self.holding(run, before, phase)? {
            let why = match &standing {
                Standing::Other(differs) => format!(" ({})", differs.join("; ")),
                _ => String::new(),
            };
            let (name, folder) = (&phase.name, found.folder.display());
            let note = format!("phase {name} was trained with these settings before{why}: its run is {folder}");
            return Ok(Placed { run: found, note: Some(note) });
        }
        match standing {
            Standing::New if before.is_empty() && !self.is_named => {
                let first = self.first(Some(phase));
                if first.folder != run.folder && first.last().exists() {
                    return self.place(&first, phase);
                }
                Ok(Placed { run: first, note: None })
            }
            Standing::Other(differs) => {
                let from = match before.last() {
                    Some(last) => format!("from the end of phase {}", last.name),
                    None => "from the beginning".into(),
                };
                let how =
                    format!("phase {} is another one now ({}): it trains anew, {from}", phase.name, differs.join("; "));
                self.branch(run, before, phase, None, &how)
            }
            Standing::BuiltOn => {
                let epochs = progress.phases[place].epochs;
                let how = format!(
                    "phase {} goes on after epoch {epochs}, for up to {}; what was built on it is to be trained anew",
                    phase.name, phase.epochs
                );
                self.branch(run, before, phase, Some(epochs), &how)
            }
            _ => here(None),
        }
    }

    /// A new run that begins where the phases before ended; with `goes_on`, where this very phase ended after so many epochs.
    fn branch(&self, run: &Run, before: &[Begun], phase: &Phase, goes_on: Option<usize>, how: &str) -> Result<Placed> {
        let ends = before.len() + usize::from(goes_on.is_some());
        if let Some(lost) = (0..ends).map(|place| run.end_of(place)).find(|end| !end.exists()) {
            let name = lost.file_name().unwrap_or_default().to_string_lossy();
            let what = format!("{how}; but {name}, from which it would begin, is not there any more");
            return Err(Error::new(ErrorKind::Checkpoint, what)
                .at(&lost)
                .mend("train the phases before it again: in a run of another name (--run), or after learner.reset()?, which forgets this run"));
        }
        let new = self.free(before, phase, goes_on);
        let _lock = new.lock()?;
        if let Some(last) = ends.checked_sub(1) {
            (0..last).try_for_each(|place| files::copy(&run.end_of(place), &new.end_of(place)))?;
            // At last: from here on it is a run.
            files::copy(&run.end_of(last), &new.last())?;
        }
        let note = format!("{how}; the earlier result stays in {}", run.folder.display());
        Ok(Placed { run: new, note: Some(note) })
    }

    /// Another run that has begun the same phases and holds this one.
    fn holding(&self, run: &Run, before: &[Begun], phase: &Phase) -> Result<Option<Run>> {
        let holds = |progress: &Progress| progress.phases.starts_with(before) && is_held(progress, phase);
        let mut members = self.members()?.into_iter();
        Ok(members.find(|(other, progress)| other.folder != run.folder && holds(progress)).map(|(other, _)| other))
    }

    /// The runs that have a checkpoint, sorted by name. What cannot be read is none of them.
    fn members(&self) -> Result<Vec<(Run, Progress)>> {
        let folder = &self.base.folder;
        let mut members = Vec::new();
        let found = if folder.exists() { files::sorted_dir(folder)? } else { Vec::new() };
        for path in
            found.into_iter().filter(|path| path.file_name().is_some_and(|name| self.is_ours(&name.to_string_lossy())))
        {
            let run = self.run(path);
            if run.last().exists()
                && let Ok(progress) = run.progress()
            {
                members.push((run, progress));
            }
        }
        Ok(members)
    }

    fn is_ours(&self, name: &str) -> bool {
        match name.strip_prefix(&self.stem) {
            Some("") => self.is_named,
            Some(rest) => rest
                .strip_prefix('-')
                .is_some_and(|rest| rest.len() >= HASH && rest.bytes().take(HASH).all(|byte| byte.is_ascii_hexdigit())),
            None => false,
        }
    }

    /// The run in which a phase is the first.
    fn first(&self, phase: Option<&Phase>) -> Run {
        if self.is_named {
            return self.run(self.base.folder.join(&self.stem));
        }
        self.run(self.folder(&[], phase, None))
    }

    /// A new run's folder, which no other run has.
    fn free(&self, before: &[Begun], phase: &Phase, goes_on: Option<usize>) -> Run {
        let wanted = self.folder(before, Some(phase), goes_on);
        let numbered = (2..).map(|number| wanted.with_added_extension(number.to_string()));
        let free =
            std::iter::once(wanted.clone()).chain(numbered).find(|folder| !self.run(folder.clone()).last().exists());
        self.run(free.unwrap_or(wanted))
    }

    fn folder(&self, before: &[Begun], phase: Option<&Phase>, goes_on: Option<usize>) -> PathBuf {
        let phase = phase.map(|phase| (&phase.name, phase.computes()));
        let all = json!([self.base.made_with, before, phase, goes_on]).to_string();
        self.base.folder.join(format!("{}-{}", self.stem, &files::sha256(all.as_bytes())[..HASH]))
    }

    fn run(&self, folder: PathBuf) -> Run {
        Run::new(folder, self.base.made_with.clone())
    }
}

/// Digits of the hash in a folder's name.
const HASH: usize = 8;

/// Whether a run has trained this phase, or can go on with it.
fn is_held(progress: &Progress, phase: &Phase) -> bool {
    matches!(progress.standing(phase), Standing::Done | Standing::GoesOn)
}

/// What is said where a phase was trained for longer than is asked for.
fn longer(begun: &Begun, phase: &Phase) -> Option<String> {
    let Begun { name, epochs, .. } = begun;
    let asked = phase.epochs;
    (*epochs > asked).then(|| format!("phase {name} was trained for {epochs} epochs before; {asked} are asked for now"))
}

/// What a phase meets in a run that has trained another one of its name.
pub(in crate::train) fn refused(run: &Run, phase: &Phase, standing: &Standing) -> Option<Error> {
    let what = match standing {
        Standing::Other(differs) => format!("this run trained another phase {}: {}", phase.name, differs.join("; ")),
        Standing::BuiltOn => format!("other phases were built on phase {}; it cannot go on in this run", phase.name),
        _ => return None,
    };
    let mend = "train it in a run of its own: Learner::fit finds or makes one";
    Some(Error::new(ErrorKind::Checkpoint, what).at(&run.folder).mend(mend))
}
