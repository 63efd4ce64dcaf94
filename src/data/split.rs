//! Which photo is for learning, which for deciding, which for the final test.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::manifest::{self, Row};
use super::verify::Checked;
use super::{Dataset, Sample, Verification};
use crate::config::{Config, SplitConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Lock};
use crate::pixels::hash;
use crate::project::Project;
use crate::seed::{Purpose, Seed};

/// The three parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To learn from.
    Train,
    /// To decide when to stop and which epoch is best.
    Val,
    /// To look at once, at the end.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|split| split.name() == name);
        found.ok_or_else(|| Error::config("split", format_args!("{name:?}"), "train, val or test"))
    }
}

/// One part of a data set.
#[derive(Clone, Debug)]
pub struct Subset {
    /// Which part.
    pub split: Split,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// Its photos, in the order of the manifest: by class, then by name.
    pub samples: Arc<[Sample]>,
    /// SHA-256 over the manifest's rows of this part: names the photos' content and order exactly.
    pub sha256: String,
}

/// A data set in three parts.
#[derive(Clone, Debug)]
pub struct Splits {
    /// The folder with `train/`, `val/`, `test/` and `manifest.csv`.
    pub root: PathBuf,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// To learn from.
    pub train: Subset,
    /// To decide.
    pub val: Subset,
    /// To test.
    pub test: Subset,
    /// Photos that are (nearly) the same as another; each group of them is in one part.
    pub duplicates: usize,
    /// Photos that could not be read and are in no part.
    pub left_out: usize,
}

impl Splits {
    /// The part of this name.
    pub fn get(&self, split: Split) -> &Subset {
        match split {
            Split::Train => &self.train,
            Split::Val => &self.val,
            Split::Test => &self.test,
        }
    }

    /// Opens the split that a data folder holds, and sees that every file is there with its size.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if there is none, or files are missing or changed: the first five are named.
    pub fn open(data: &Path) -> Result<Self> {
        let path = data.join(MANIFEST);
        if !path.exists() {
            return Err(Error::new(ErrorKind::Dataset, "there is no split yet")
                .at(&path)
                .mend("run `petal split-dataset` first"));
        }
        let (made_with, rows) = manifest::read(&path)?;
        let made_with: MadeWith = serde_json::from_str(&made_with).map_err(|cause| {
            Error::new(ErrorKind::Dataset, format!("its first line is not ours: {cause}")).at(&path)
        })?;
        let changed: Vec<_> = rows
            .iter()
            .filter(|row| !fs::metadata(row.file(data)).is_ok_and(|found| found.len() == row.bytes))
            .map(|row| row.path.as_str())
            .collect();
        if !changed.is_empty() {
            let names = changed.iter().take(5).copied().collect::<Vec<_>>().join(", ");
            let what = format!("{} files of the split are missing or changed: {names}", changed.len());
            return Err(Error::new(ErrorKind::Dataset, what).at(&path).mend(RESPLIT));
        }
        let classes: Arc<[String]> = made_with.classes.clone().into();
        let subset = |split: Split| -> Result<Subset> {
            let (mut samples, mut names) = (Vec::new(), String::new());
            for row in rows.iter().filter(|row| row.split == split) {
                let target = classes.binary_search(&row.class).map_err(|_| {
                    Error::new(ErrorKind::Dataset, format!("the manifest has an unknown class {:?}", row.class))
                        .at(&path)
                })?;
                samples.push(Sample { path: row.file(data), target });
                names += &format!("{},{},{}\n", row.path, row.class, row.sha256);
            }
            let sha256 = files::sha256(names.as_bytes());
            Ok(Subset { split, classes: classes.clone(), samples: samples.into(), sha256 })
        };
        Ok(Self {
            root: data.to_path_buf(),
            train: subset(Split::Train)?,
            val: subset(Split::Val)?,
            test: subset(Split::Test)?,
            classes,
            duplicates: made_with.duplicates,
            left_out: made_with.left_out.len(),
        })
    }
}

const MANIFEST: &str = "manifest.csv";
/// Written before the first file is linked, renamed when the last one is: what a killed run leaves can be told by it.
const UNFINISHED: &str = "manifest.unfinished.csv";
const RESPLIT: &str = "make the split anew with `petal split-dataset --replace` (in a notebook: photos.resplit(…))";

/// What a split was made with: the manifest's first line.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MadeWith {
    seed: u64,
    fractions: [f64; 3],
    classes: Vec<String>,
    duplicates: usize,
    /// Photos that cannot be read: `class/file`.
    left_out: Vec<String>,
}

impl Dataset {
    /// Verifies every photo and sorts them into `data/train`, `data/val` and `data/test`, stratified by class, (near)
    /// duplicates together, with a `manifest.csv`. Where the same was done before, it changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`]: a class has fewer than three photos; or the data folder holds a split that was made with another
    /// seed, other fractions or other photos — it is not replaced unasked.
    pub fn split(&self, project: &Project, config: &Config) -> Result<Splits> {
        self.split_into(project, config, false)
    }

    /// The same, in the place of whatever split was there. Only files of the old manifest are removed.
    pub fn resplit(&self, project: &Project, config: &Config) -> Result<Splits> {
        self.split_into(project, config, true)
    }

    fn split_into(&self, project: &Project, config: &Config, replace: bool) -> Result<Splits> {
        config.check()?;
        let data = &project.data;
        let _lock = Lock::take(&data.join("lock"))?;
        let manifest = data.join(MANIFEST);
        remove_rows(data, &data.join(UNFINISHED))?;
        if manifest.exists() && !replace {
            self.check_same(&manifest, config)?;
            return Splits::open(data);
        }
        let Verification { good, bad } = self.verify()?;
        let groups = groups(&good);
        let splits = assign(&good, &groups, &self.classes, &config.split, Seed(config.seed))?;
        let mut rows = Vec::with_capacity(good.len());
        for split in Split::ALL {
            for (checked, _) in good.iter().zip(&splits).filter(|(_, own)| **own == split) {
                let Sample { path, target } = &checked.sample;
                let class = self.classes[*target].clone();
                let row = Row {
                    path: format!("{split}/{class}/{}", name_of(path)?),
                    class,
                    split,
                    bytes: checked.bytes,
                    sha256: checked.sha256.clone(),
                };
                rows.push((path, row));
            }
        }
        let made_with = MadeWith {
            seed: config.seed,
            fractions: fractions(&config.split),
            classes: self.classes.to_vec(),
            duplicates: groups.iter().enumerate().filter(|(index, group)| *index != **group).count(),
            left_out: bad.iter().map(|(path, _)| self.short(path)).collect::<Result<_>>()?,
        };
        remove_rows(data, &manifest)?;
        let only_rows: Vec<Row> = rows.iter().map(|(_, row)| row.clone()).collect();
        let json = serde_json::to_string(&made_with).map_err(|cause| Error::new(ErrorKind::Io, cause.to_string()))?;
        let unfinished = data.join(UNFINISHED);
        manifest::write(&unfinished, &json, &only_rows)?;
        for (source, row) in &rows {
            place(source, &row.file(data))?;
        }
        fs::rename(&unfinished, &manifest).map_err(|cause| Error::io("rename", &unfinished, &cause))?;
        Splits::open(data)
    }

    /// Whether the split that is there was made of these photos with these settings.
    fn check_same(&self, path: &Path, config: &Config) -> Result<()> {
        let (made_with, rows) = manifest::read(path)?;
        let failed = |what: String| Err(Error::new(ErrorKind::Dataset, what).at(path).mend(RESPLIT));
        let Ok(made_with) = serde_json::from_str::<MadeWith>(&made_with) else {
            return failed("its first line is not ours".into());
        };
        if made_with.seed != config.seed {
            return failed(format!("this split was made with seed {}; asked for is {}", made_with.seed, config.seed));
        }
        if made_with.fractions != fractions(&config.split) {
            let now = fractions(&config.split);
            return failed(format!(
                "this split was made with fractions {:?}; asked for is {now:?}",
                made_with.fractions
            ));
        }
        let sized = |name: String, bytes: u64| (name, bytes);
        let mut then: BTreeSet<_> = rows
            .iter()
            .map(|row| sized(row.path.split_once('/').map_or("", |(_, rest)| rest).to_string(), row.bytes))
            .collect();
        let mut now = BTreeSet::new();
        for sample in &self.samples {
            let name = self.short(&sample.path)?;
            let bytes = fs::metadata(&sample.path).map_err(|cause| Error::io("read", &sample.path, &cause))?.len();
            if made_with.left_out.contains(&name) {
                then.insert(sized(name.clone(), bytes));
            }
            now.insert(sized(name, bytes));
        }
        let differ: Vec<_> = then.symmetric_difference(&now).map(|(name, _)| name.as_str()).collect();
        if differ.is_empty() {
            return Ok(());
        }
        let names = differ.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        failed(format!("the photos were added, removed or changed since this split was made: {names}"))
    }

    /// `class/file`.
    fn short(&self, path: &Path) -> Result<String> {
        let class = path.parent().map(name_of).transpose()?.unwrap_or_default();
        Ok(format!("{class}/{}", name_of(path)?))
    }
}

fn name_of(path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_string)
        .ok_or_else(|| Error::new(ErrorKind::Dataset, "this name is not UTF-8").at(path).mend("rename it"))
}

fn fractions(split: &SplitConfig) -> [f64; 3] {
    [split.train, split.val, split.test]
}

/// Hashes of photos that show the same differ in at most so many of 64 bits …
const NEAR_BITS: u32 = 6;
/// … and their 16 × 16 greys by at most this on average, of 255.
const NEAR_GREY: f32 = 8.0;

/// For each photo, the first one that it is (nearly) the same as: itself for most.
fn groups(photos: &[Checked]) -> Vec<usize> {
    let mut first: Vec<usize> = (0..photos.len()).collect();
    let root = |first: &[usize], mut index: usize| {
        while first[index] != index {
            index = first[index];
        }
        index
    };
    for a in 0..photos.len() {
        for b in a + 1..photos.len() {
            if is_near(&photos[a], &photos[b]) {
                let (low, high) = (root(&first, a), root(&first, b));
                first[low.max(high)] = low.min(high);
            }
        }
    }
    (0..photos.len()).map(|index| root(&first, index)).collect()
}

fn is_near(a: &Checked, b: &Checked) -> bool {
    if hash::distance(a.dhash, b.dhash) > NEAR_BITS {
        return false;
    }
    let grey: f32 = a.thumbnail.iter().zip(&b.thumbnail).map(|(a, b)| (a - b).abs()).sum();
    a.sha256 == b.sha256 || grey / a.thumbnail.len() as f32 <= NEAR_GREY
}

/// The part of each photo: for each class, groups in a random order fill test, then val, then train, to counts that are right
/// within one (larger groups apart).
fn assign(
    photos: &[Checked],
    groups: &[usize],
    classes: &[String],
    config: &SplitConfig,
    seed: Seed,
) -> Result<Vec<Split>> {
    let mut parts = vec![Split::Train; photos.len()];
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (photo, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(photo);
    }
    for (target, class) in classes.iter().enumerate() {
        // A group belongs to the class of its first photo.
        let mut own: Vec<_> = members.iter().filter(|(first, _)| photos[**first].sample.target == target).collect();
        // The order must come from what the photos are, not from how the files are called.
        own.sort_by_key(|(first, _)| &photos[**first].sha256);
        seed.stream(Purpose::Split, 0, target as u64).shuffle(&mut own);
        let total: usize = own.iter().map(|(_, photos)| photos.len()).sum();
        if own.len() < 3 {
            let what = format!("class {class:?} has {} different photos that can be read; a split needs 3", own.len());
            return Err(Error::new(ErrorKind::Dataset, what).mend("add photos, or remove the class's folder"));
        }
        let counts = counts(total, config);
        let mut room = [(Split::Test, counts[2]), (Split::Val, counts[1])];
        for (_, photos) in own {
            let fits = room.iter_mut().find(|(_, room)| *room >= photos.len());
            if let Some((split, room)) = fits {
                *room -= photos.len();
                photos.iter().for_each(|photo| parts[*photo] = *split);
            }
        }
    }
    Ok(parts)
}

/// How many of `total` go into train, val and test: by largest remainder, and at least one into each.
fn counts(total: usize, config: &SplitConfig) -> [usize; 3] {
    let exact = fractions(config).map(|fraction| fraction * total as f64);
    let mut counts = exact.map(|n| (n + 1e-9).floor() as usize);
    while counts.iter().sum::<usize>() < total {
        let left = |i: usize| exact[i] - counts[i] as f64;
        let most = (0..3).max_by(|&a, &b| left(a).total_cmp(&left(b)).then(b.cmp(&a))).unwrap_or(0);
        counts[most] += 1;
    }
    for part in [1, 2] {
        if counts[part] == 0 {
            counts[part] = 1;
            counts[0] -= 1;
        }
    }
    counts
}

/// A hard link where the file system has them, else a copy.
fn place(source: &Path, target: &Path) -> Result<()> {
    if let Some(folder) = target.parent() {
        files::create_dir(folder)?;
    }
    if target.exists() {
        let what = "a file that is not of this split is in its place";
        return Err(Error::new(ErrorKind::Dataset, what).at(target).mend("move it away and run this again"));
    }
    if fs::hard_link(source, target).is_err() {
        fs::copy(source, target).map_err(|cause| Error::io("copy to", target, &cause))?;
    }
    Ok(())
}

/// Removes what a manifest lists, then the manifest, then folders that are empty. Other files stay.
fn remove_rows(data: &Path, manifest: &Path) -> Result<()> {
    if !manifest.exists() {
        return Ok(());
    }
    let (_, rows) = manifest::read(manifest)?;
    let mut folders = BTreeSet::new();
    for row in &rows {
        let file = row.file(data);
        match fs::remove_file(&file) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &file, &cause));
            }
            _ => {}
        }
        folders.extend(file.parent().map(Path::to_path_buf));
        folders.extend(file.parent().and_then(Path::parent).map(Path::to_path_buf));
    }
    fs::remove_file(manifest).map_err(|cause| Error::io("remove", manifest, &cause))?;
    // The deepest first; one that still holds something stays.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}
