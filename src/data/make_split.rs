//! Makes a split: which photo goes where, and under which name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::decisions::{DECISIONS, Decided, Decision, Decisions, Honoured};
use super::duplicates::{self, Found, Pair};
use super::layout::part_of;
use super::manifest::{MadeWith, Row, Twins};
use super::names::folded;
use super::on_disk::{self, Plan};
use super::partition::{fractions, partition, split_up};
use super::verify::Checked;
use super::{Dataset, Sample, Split, Splits, Verification};
use crate::base::config::{Config, Duplicates, SplitConfig};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::Lock;
use crate::base::project::Project;
use crate::base::seed::Seed;
use crate::base::work::{Progress, Unit, Work};

impl Dataset {
    /// Verifies every photo and sorts them into `data/train`, `data/val` and `data/test`, stratified by class, (near)
    /// duplicates together, with a `manifest.csv`. Where the same was done before, it changes nothing.
    ///
    /// What `data/decisions.csv` says of single photos is honoured ([`Decisions`]): dropped ones are in no part, relabelled ones
    /// are in their new class. All others stay in the part where they would be without it. Other decisions than those that a split was
    /// made with make it anew.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`]: a class has fewer than three photos; or the data folder holds a split that was made with another
    /// seed, other fractions or other photos — it is not replaced unasked. Nothing is written then.
    /// [`ErrorKind::Interrupted`] if `progress` ends it: what was there before still holds.
    pub fn split_with(&self, project: &Project, config: &Config, progress: &mut dyn Progress) -> Result<Splits> {
        config.check()?;
        let honoured = Decisions::read(&project.data)?.honoured(self, &project.data)?;
        if let Some(splits) = self.made_before(&project.data, config, &honoured)? {
            return Ok(splits);
        }
        let plan = self.plan(&project.data, config, &honoured, progress)?;
        let _lock = Lock::take(&project.data.join("lock"))?;
        // Another process may have made it meanwhile.
        match self.made_before(&project.data, config, &honoured)? {
            Some(splits) => Ok(splits),
            None => {
                plan.carry_out(&project.data, progress)?;
                Splits::open(&project.data)
            }
        }
    }

    /// The same, in the place of whatever split was there. Only files of the old manifest are removed, and none that is a photo's last copy.
    ///
    /// # Errors
    /// Those of [`Dataset::split_with`]; [`ErrorKind::Dataset`] if a photo of the old split is nowhere else. Nothing is changed then.
    pub fn resplit_with(&self, project: &Project, config: &Config, progress: &mut dyn Progress) -> Result<Splits> {
        config.check()?;
        let honoured = Decisions::read(&project.data)?.honoured(self, &project.data)?;
        let plan = self.plan(&project.data, config, &honoured, progress)?;
        let _lock = Lock::take(&project.data.join("lock"))?;
        plan.carry_out(&project.data, progress)?;
        Splits::open(&project.data)
    }

    fn plan(&self, data: &Path, config: &Config, honoured: &Honoured, progress: &mut dyn Progress) -> Result<Plan> {
        let Verification { good, bad } = self.verify_with(progress)?;
        let mut work = Work::new("comparing photos with each other", Unit::Photos, good.len() as u64);
        work.at(0, progress)?;
        let split = &config.split;
        let found = match split.duplicates {
            Duplicates::Off => Found::nothing(good.len()),
            Duplicates::Together => duplicates::find(&good, split.duplicate_threshold),
            Duplicates::Report => Found {
                groups: Found::nothing(good.len()).groups,
                ..duplicates::find(&good, split.duplicate_threshold)
            },
        };
        work.end(progress)?;
        let Parts { splits, drawn, split_up } =
            self.parts(&good, &found.groups, config).map_err(|error| error.at(&self.root))?;
        let classes = self.classes_after(&good, honoured);
        let (files, decided) = self.places(data, &good, &splits, &classes, honoured);
        if !self.is_split() {
            self.check_filled(&files).map_err(|error| error.at(data.join(DECISIONS)))?;
        }
        // Those that were dropped are nobody's twins.
        let is_there = |pair: &&Pair| classes[pair.one].is_some() && classes[pair.other].is_some();
        let twins: Vec<&Pair> = found.pairs.iter().filter(is_there).collect();
        let name = |photo: usize| good[photo].sample.name.clone();
        let (mut conflicts, mut leaks) = (Vec::new(), Vec::new());
        for &&Pair { one, other, .. } in &twins {
            if classes[one] != classes[other] {
                conflicts.push((name(one), name(other)));
            }
            if (splits[one] == Split::Train) != (splits[other] == Split::Train) {
                let (train, measured) = if splits[one] == Split::Train { (one, other) } else { (other, one) };
                leaks.push((name(train), name(measured)));
            }
        }
        let mut left_out = self.left_out.clone();
        for (path, why) in bad {
            let name = self
                .samples
                .iter()
                .find(|sample| sample.path == path)
                .map_or_else(String::new, |sample| sample.name.clone());
            left_out.insert(name, why);
        }
        let made_with = MadeWith {
            seed: config.seed,
            fractions: fractions(&config.split),
            classes: self.classes.to_vec(),
            source: Some(self.source.clone()),
            root: self.root.canonicalize().ok(),
            licence: self.licence.clone(),
            given: self.is_split(),
            drawn,
            leaks,
            manifest_sha256: String::new(),
            duplicates_are: split.duplicates,
            duplicate_threshold: split.duplicate_threshold,
            duplicates: twins.iter().map(|pair| pair.other).collect::<BTreeSet<_>>().len(),
            pairs: twins
                .iter()
                .map(|pair| Twins { one: name(pair.one), other: name(pair.other), likeness: rounded(pair.likeness) })
                .collect(),
            split_up,
            conflicts,
            left_out,
            laid_on_white: good.iter().filter(|photo| photo.laid_on_white).count(),
            decided,
        };
        Ok(Plan { files, made_with })
    }

    /// The part of each photo; of a set that comes split, the parts that it lacks and that were drawn.
    fn parts(&self, good: &[Checked], groups: &[usize], config: &Config) -> Result<Parts> {
        let has = |split: Split| good.iter().any(|photo| photo.sample.part == Some(split));
        let drawn: Vec<Split> = match self.is_split() {
            true => [Split::Val, Split::Test].into_iter().filter(|split| !has(*split)).collect(),
            false => Vec::new(),
        };
        let given = |photo: &Checked| photo.sample.part.unwrap_or(Split::Train);
        if self.is_split() && drawn.is_empty() {
            return Ok(Parts { splits: good.iter().map(given).collect(), drawn, split_up: BTreeMap::new() });
        }
        let share = |split, share| if drawn.contains(&split) { share } else { 0.0 };
        let (val, test) = (share(Split::Val, config.split.val), share(Split::Test, config.split.test));
        let fractions = match self.is_split() {
            true => SplitConfig { train: 1.0 - val - test, val, test, ..config.split },
            false => config.split,
        };
        // Groups among the photos to draw from alone, by their places there.
        let from: Vec<usize> = (0..good.len()).filter(|photo| given(&good[*photo]) == Split::Train).collect();
        let place: BTreeMap<usize, usize> = from.iter().enumerate().map(|(place, photo)| (*photo, place)).collect();
        let mut firsts: BTreeMap<usize, usize> = BTreeMap::new();
        let mut own_groups: Vec<usize> =
            from.iter().map(|photo| *firsts.entry(groups[*photo]).or_insert(place[photo])).collect();
        let photos: Vec<&Checked> = from.iter().map(|photo| &good[*photo]).collect();
        let split_up = split_up(&photos, &mut own_groups, &self.classes, &fractions);
        let parts = partition(&photos, &own_groups, &self.classes, &fractions, Seed(config.seed))?;
        let splits = good
            .iter()
            .enumerate()
            .map(|(photo, checked)| place.get(&photo).map_or(given(checked), |place| parts[*place]));
        Ok(Parts { splits: splits.collect(), drawn, split_up })
    }

    /// The class of each photo after the decisions; none for those that were dropped.
    fn classes_after<'a>(&'a self, good: &[Checked], honoured: &'a Honoured) -> Vec<Option<&'a String>> {
        let class = |checked: &Checked| match honoured.by_name.get(&checked.sample.name) {
            Some(Decision::Drop) => None,
            Some(Decision::Relabel(class)) => Some(class),
            _ => Some(&self.classes[checked.sample.target]),
        };
        good.iter().map(class).collect()
    }

    /// Where each photo goes, sorted as in the manifest, and what the decisions did.
    fn places(
        &self,
        data: &Path,
        good: &[Checked],
        splits: &[Split],
        classes: &[Option<&String>],
        honoured: &Honoured,
    ) -> (Vec<(PathBuf, Row)>, Decided) {
        // Places that no file system takes for one, whichever parts they are in: a photo keeps its place when the split is drawn anew.
        let own = |sample: &Sample| {
            let class = &self.classes[sample.target];
            on_disk::place_of(data, &sample.path).unwrap_or_else(|| format!("{class}/{}", in_class(sample, class)))
        };
        let mut taken = BTreeSet::new();
        let mut decided =
            Decided { sha256: honoured.sha256.clone(), unused: honoured.unused.clone(), ..Decided::default() };
        let mut files = Vec::with_capacity(good.len());
        // Those in their own class first: a relabelled one does not take another's name.
        let (mut stay, mut moved) = (Vec::new(), Vec::new());
        for (index, class) in classes.iter().enumerate() {
            let sample = &good[index].sample;
            match class {
                None => drop(decided.dropped.insert(sample.name.clone(), good[index].bytes)),
                Some(class) if **class == self.classes[sample.target] => stay.push((index, *class, own(sample))),
                Some(class) => moved.push((index, *class, format!("{class}/{}", own(sample).replace('/', "_")))),
            }
        }
        for (is_moved, (index, class, place)) in
            stay.into_iter().map(|one| (false, one)).chain(moved.into_iter().map(|one| (true, one)))
        {
            let Checked { sample, bytes, sha256, .. } = &good[index];
            let place = free_place(place, &mut taken);
            if is_moved {
                decided.relabelled.insert(sample.name.clone(), place.clone());
            }
            let path = format!("{}/{place}", splits[index]);
            let row = Row {
                path,
                class: class.clone(),
                split: splits[index],
                bytes: *bytes,
                sha256: sha256.clone(),
                photo: sample.name.clone(),
            };
            files.push((sample.path.clone(), row));
        }
        files.sort_by_cached_key(|(_, row)| (row.split, row.class.clone(), row.path.clone()));
        (files, decided)
    }

    /// Decisions may take the last photo of a class out of a part.
    fn check_filled(&self, files: &[(PathBuf, Row)]) -> Result<()> {
        let filled: BTreeSet<_> = files.iter().map(|(_, row)| (row.class.as_str(), row.split)).collect();
        for (class, split) in self.classes.iter().flat_map(|class| Split::ALL.map(|split| (class, split))) {
            if !filled.contains(&(class.as_str(), split)) {
                let what = format!("after the decisions, class {class:?} has no photo in {split}");
                return Err(Error::new(ErrorKind::Dataset, what).mend("keep more of its photos, or add some"));
            }
        }
        Ok(())
    }
}

/// Which photo goes where.
struct Parts {
    /// The part of each photo.
    splits: Vec<Split>,
    /// The parts that a set which comes split lacked.
    drawn: Vec<Split>,
    /// Classes whose copies could not stay together, and how many.
    split_up: BTreeMap<String, usize>,
}

/// A likeness in thousandths.
fn rounded(likeness: f32) -> f64 {
    (f64::from(likeness) * 1000.0).round() / 1000.0
}

/// A photo's path inside its class's folder: its name without the folders of the part and the class.
fn in_class<'a>(sample: &'a Sample, class: &str) -> &'a str {
    let mut name = sample.name.as_str();
    if let Some((first, rest)) = name.split_once('/')
        && part_of(first).is_some()
        && rest.split_once('/').is_some_and(|(folder, _)| folder == class)
    {
        name = rest;
    }
    match name.split_once('/') {
        Some((folder, rest)) if folder == class => rest,
        _ => name,
    }
}

/// This place, or the next that is not taken: `roses/1.jpg`, `roses/_1.jpg`.
fn free_place(mut place: String, taken: &mut BTreeSet<String>) -> String {
    while !taken.insert(folded(&place)) {
        place = place.replacen('/', "/_", 1);
    }
    place
}
