//! Photos that are likely in the wrong class, or none of any, and what a person decides about them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Evaluation, Prediction};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::data::decisions::DECISIONS;
use crate::data::{Decision, Decisions, Split, Splits};

/// Photos by loss, the largest first, to be marked one by one: keep, relabel or drop.
/// All clones share their marks.
///
/// A photo's number is its place in the list, from 1 on; it does not change while the cleaner is in use. The marks are kept in memory until
/// [`Cleaner::save`] writes them to `decisions.csv` in the data folder, which the next split honours.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(learner: &Learner) -> Result<()> {
/// let cleaner = learner.cleaner(&[Split::Train, Split::Val])?; // as a cell's last line, it shows the first twelve
/// cleaner.relabel(&[1], "tulips")?;
/// cleaner.drop_photos(&[2, 5])?;
/// cleaner.keep(&[3, 4])?;
/// cleaner.save()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Cleaner {
    /// Name of the model whose losses they are.
    pub model: String,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// The parts that were looked at.
    pub parts: Vec<Split>,
    /// What the list is sorted by, in words: `by loss, the largest first`.
    pub listed: String,
    /// All photos of these parts but those decided about before, the largest loss first.
    pub suspects: Vec<Suspect>,
    /// How many photos are not listed, because a person kept or relabelled them before.
    pub decided_before: usize,
    /// Whether train photos were predicted by heads that have not learned from them. Default false: they may be known by heart.
    pub held_out: bool,
    data: PathBuf,
    /// Shared by all clones: buttons mark the very list that a cell's variable holds.
    marks: Arc<Mutex<BTreeMap<usize, Decision>>>,
}

/// A photo that may be in the wrong class.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// Its part; none where the photos are not split yet.
    pub split: Option<Split>,
    /// What it is called in the data set: `class/file`.
    pub name: String,
    /// What the model says of it.
    pub prediction: Prediction,
    /// Why it is listed, in words; empty where it is for its loss.
    pub why: String,
}

/// The decisions that were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedDecisions {
    /// The file.
    pub path: PathBuf,
    /// How many were new or changed by this: kept, relabelled, dropped.
    pub saved: [usize; 3],
    /// How many there are in the file.
    pub all: usize,
}

impl Cleaner {
    /// The photos of these evaluations of a split.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if an evaluation has no photos of this split's part, or the file of earlier decisions cannot be read.
    pub fn new(splits: &Splits, evaluations: &[(Split, Evaluation)]) -> Result<Self> {
        let Some((_, first)) = evaluations.first() else {
            return Err(Error::new(ErrorKind::Config, "a cleaner needs at least one part of the split")
                .mend("learner.cleaner(&[Split::Train, Split::Val])"));
        };
        let mut suspects = Vec::new();
        for (split, evaluation) in evaluations {
            let samples = splits.get(*split).samples.iter();
            let names: BTreeMap<&Path, &str> =
                samples.map(|sample| (sample.path.as_path(), sample.name.as_str())).collect();
            for prediction in &evaluation.predictions {
                let Some(name) = names.get(prediction.path.as_path()).map(ToString::to_string) else {
                    let what = format!("this photo is not of the split's part {split}");
                    return Err(Error::new(ErrorKind::Dataset, what)
                        .at(&prediction.path)
                        .mend("evaluate the split that is there now"));
                };
                suspects.push(Suspect {
                    split: Some(*split),
                    name,
                    prediction: prediction.clone(),
                    why: String::new(),
                });
            }
        }
        let loss = |suspect: &Suspect| suspect.prediction.loss().unwrap_or(0.0);
        suspects.sort_by(|a, b| loss(b).total_cmp(&loss(a)).then(a.name.cmp(&b.name)));
        let listed = format!("by {}'s loss, the largest first", first.model);
        let mut cleaner = Self::listed(&splits.root, first.model.clone(), &splits.classes, suspects, listed)?;
        cleaner.parts = evaluations.iter().map(|(split, _)| *split).collect();
        Ok(cleaner)
    }

    /// These photos in this order, but for those decided about before; `listed` says in words what the order is, `data` is the folder of the decisions.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if the file of earlier decisions cannot be read.
    pub fn listed(
        data: &Path,
        model: String,
        classes: &Arc<[String]>,
        suspects: Vec<Suspect>,
        listed: String,
    ) -> Result<Self> {
        let decisions = Decisions::read(data)?;
        let is_decided = |suspect: &Suspect| -> Result<bool> {
            let Suspect { name, prediction, .. } = suspect;
            Ok(decisions.has(name)
                && match decisions.of(name, &files::sha256_file(&prediction.path)?) {
                    Some(Decision::Keep) => true,
                    // Not yet where the split was not made anew since.
                    Some(Decision::Relabel(class)) => prediction.target.map(|t| &classes[t]) == Some(class),
                    Some(Decision::Drop) | None => false,
                })
        };
        let mut cleaner = Self {
            model,
            classes: classes.clone(),
            parts: Vec::new(),
            listed,
            suspects: Vec::new(),
            decided_before: 0,
            held_out: false,
            data: data.to_path_buf(),
            marks: Arc::default(),
        };
        for suspect in suspects {
            if is_decided(&suspect)? {
                cleaner.decided_before += 1;
            } else {
                cleaner.suspects.push(suspect);
            }
        }
        Ok(cleaner)
    }

    /// These photos are as they should be; the next cleaner does not list them.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a number that is not in the list; nothing is marked then. So it is for all marks.
    pub fn keep(&self, numbers: &[usize]) -> Result<()> {
        self.mark(numbers, &Decision::Keep)
    }

    /// These photos belong to another class.
    ///
    /// # Errors
    /// Also for an unknown class, and for a photo that is of this class already.
    pub fn relabel(&self, numbers: &[usize], class: &str) -> Result<()> {
        let Some(target) = self.classes.iter().position(|known| known == class) else {
            let known = format!("one of {}", self.classes.join(", "));
            return Err(Error::config("class", format_args!("{class:?}"), &known));
        };
        for &number in numbers {
            if self.suspect(number)?.prediction.target == Some(target) {
                let what = format!("photo {number} is in the class {class:?} already");
                return Err(Error::new(ErrorKind::Config, what).mend("keep(&[…]) says that this is right"));
            }
        }
        self.mark(numbers, &Decision::Relabel(class.into()))
    }

    /// These photos go into no part: they show nothing of any class, or spoil what is learned.
    pub fn drop_photos(&self, numbers: &[usize]) -> Result<()> {
        self.mark(numbers, &Decision::Drop)
    }

    /// Takes marks back, before they are saved.
    pub fn unmark(&self, numbers: &[usize]) -> Result<()> {
        numbers.iter().try_for_each(|&number| self.suspect(number).map(|_| ()))?;
        let mut marks = self.lock();
        numbers.iter().for_each(|number| drop(marks.remove(number)));
        Ok(())
    }

    /// Marks by number.
    pub fn marks(&self) -> BTreeMap<usize, Decision> {
        self.lock().clone()
    }

    /// The photo of this number, from 1 on.
    pub fn suspect(&self, number: usize) -> Result<&Suspect> {
        let found = number.checked_sub(1).and_then(|index| self.suspects.get(index));
        found.ok_or_else(|| {
            let allowed = match self.suspects.len() {
                0 => "nothing: no photo is listed".into(),
                len => format!("a number from 1 to {len}, as the list shows it"),
            };
            Error::config("photo", number, &allowed)
        })
    }

    /// Writes the marks to `decisions.csv` in the data folder, beside those that stand there, in one step.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if nothing is marked; what writing can give. Marks stay marked.
    pub fn save(&self) -> Result<SavedDecisions> {
        let marks = self.marks();
        if marks.is_empty() {
            return Err(Error::new(ErrorKind::Config, "no photo is marked yet")
                .mend("keep(&[…]), relabel(&[…], \"class\") or drop_photos(&[…]) marks photos by their numbers"));
        }
        let (mut saved, mut rows) = ([0; 3], Vec::new());
        for (&number, decision) in &marks {
            let Suspect { name, prediction, .. } = self.suspect(number)?;
            rows.push((name.clone(), files::sha256_file(&prediction.path)?, decision.clone()));
            saved[match decision {
                Decision::Keep => 0,
                Decision::Relabel(_) => 1,
                Decision::Drop => 2,
            }] += 1;
        }
        let all = Decisions::add(&self.data, rows)?.len();
        Ok(SavedDecisions { path: self.data.join(DECISIONS), saved, all })
    }

    fn mark(&self, numbers: &[usize], decision: &Decision) -> Result<()> {
        numbers.iter().try_for_each(|&number| self.suspect(number).map(|_| ()))?;
        self.lock().extend(numbers.iter().map(|&number| (number, decision.clone())));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Decision>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
