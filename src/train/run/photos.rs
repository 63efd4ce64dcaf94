//! Which photos a run was made with, in numbers: what its model card says of them.

use serde::{Deserialize, Serialize};

use crate::base::config::{Duplicates, Source};
use crate::data::left_out::grouped;
use crate::data::{Split, Splits};

/// The photos of a run, in numbers and without paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhotosUsed {
    /// Where they come from: a known set, or the name of the last folder.
    pub source: Origins,
    /// Whose photos they are and what may be done with them.
    pub licence: String,
    /// Photos of each class, in the order of the classes.
    pub classes: Vec<OfClass>,
    /// The seed that the parts were drawn by.
    pub split_seed: u64,
    /// Whether the set came split, so that its parts were taken as they were.
    pub given: bool,
    /// Of a set that came split: the parts that were not there, and were drawn.
    pub drawn: Vec<Split>,
    /// What became of photos that show the same.
    pub duplicates_are: Duplicates,
    /// Photos that are (nearly) the same as another one before them.
    pub duplicates: usize,
    /// Pairs of (nearly) the same photo, one to train on, one not.
    pub leaks: usize,
    /// Copies that are in several parts, since kept together they would not have filled every part.
    pub split_up: usize,
    /// Pairs of (nearly) the same photo in two classes.
    pub conflicts: usize,
    /// Files that lay among the photos and were not used: why, and how many.
    pub left_out: Vec<(String, usize)>,
    /// Photos that a person dropped.
    pub dropped: usize,
    /// Photos that a person put into another class than their folder says.
    pub relabelled: usize,
}

/// Where photos come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origins {
    /// The TF Flowers archive.
    TfFlowers,
    /// Drawn flowers.
    Synthetic,
    /// A folder of somebody's own, or a table of labels in it: the folder's name, without those above it.
    Own(String),
}

/// Photos of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfClass {
    /// The class.
    pub class: String,
    /// Photos to train on.
    pub train: usize,
    /// Photos to validate with.
    pub val: usize,
    /// Photos to test with.
    pub test: usize,
}

impl PhotosUsed {
    /// What a split says of its photos.
    pub fn of(splits: &Splits) -> Self {
        let made_with = &splits.made_with;
        let count = |split: Split, class: usize| {
            splits.get(split).samples.iter().filter(|sample| sample.target == class).count()
        };
        let classes = splits.classes.iter().enumerate().map(|(class, name)| OfClass {
            class: name.clone(),
            train: count(Split::Train, class),
            val: count(Split::Val, class),
            test: count(Split::Test, class),
        });
        let left_out = grouped(&made_with.left_out);
        Self {
            source: Origins::of(&splits.source()),
            licence: made_with.licence.clone(),
            classes: classes.collect(),
            split_seed: made_with.seed,
            given: made_with.given,
            drawn: made_with.drawn.clone(),
            duplicates_are: made_with.duplicates_are,
            duplicates: made_with.duplicates,
            leaks: made_with.leaks.len(),
            split_up: made_with.split_up.values().sum(),
            conflicts: made_with.conflicts.len(),
            left_out: left_out.into_iter().map(|(why, names)| (why, names.len())).collect(),
            dropped: made_with.decided.dropped.len(),
            relabelled: made_with.decided.relabelled.len(),
        }
    }

    /// Photos in a part.
    pub fn count(&self, split: Split) -> usize {
        let of = |class: &OfClass| match split {
            Split::Train => class.train,
            Split::Val => class.val,
            Split::Test => class.test,
        };
        self.classes.iter().map(of).sum()
    }
}

impl Origins {
    fn of(source: &Source) -> Self {
        let (Source::Folder(folder) | Source::Labels { photos: folder, .. }) = source else {
            return if *source == Source::TfFlowers { Self::TfFlowers } else { Self::Synthetic };
        };
        Self::Own(folder.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }
}
