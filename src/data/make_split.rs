//! Makes a split on disk: `data/train`, `data/val`, `data/test` and the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::dataset::name_of;
use super::decisions::{DECISIONS, Decided, Decision, Decisions, Honoured};
use super::duplicates;
use super::manifest::{self, LeftOut, MANIFEST, MadeWith, Row};
use super::partition::{fractions, partition};
use super::split::RESPLIT;
use super::verify::Checked;
use super::{Dataset, Sample, Split, Splits, Verification};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, Lock};
use crate::project::Project;
use crate::seed::Seed;

/// Written before the first file is placed, renamed when the last one is: what a killed run leaves can be told by it.
const UNFINISHED: &str = "manifest.unfinished.csv";

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
    pub fn split(&self, project: &Project, config: &Config) -> Result<Splits> {
        config.check()?;
        let honoured = Decisions::read(&project.data)?.honoured(self, &project.data)?;
        if let Some(splits) = self.made_before(&project.data, config, &honoured)? {
            return Ok(splits);
        }
        let plan = self.plan(&project.data, config, &honoured)?;
        let _lock = Lock::take(&project.data.join("lock"))?;
        // Another process may have made it meanwhile.
        match self.made_before(&project.data, config, &honoured)? {
            Some(splits) => Ok(splits),
            None => plan.carry_out(&project.data),
        }
    }

    /// The same, in the place of whatever split was there. Only files of the old manifest are removed.
    pub fn resplit(&self, project: &Project, config: &Config) -> Result<Splits> {
        config.check()?;
        let honoured = Decisions::read(&project.data)?.honoured(self, &project.data)?;
        let plan = self.plan(&project.data, config, &honoured)?;
        let _lock = Lock::take(&project.data.join("lock"))?;
        plan.carry_out(&project.data)
    }

    /// The split that is there, if it was made of these photos with these settings and decisions; nothing if it was made with other
    /// decisions, an error if it was made with anything else.
    fn made_before(&self, data: &Path, config: &Config, honoured: &Honoured) -> Result<Option<Splits>> {
        let path = data.join(MANIFEST);
        if !path.exists() {
            return Ok(None);
        }
        let rows = manifest::read(&path)?;
        let made_with = MadeWith::read(data)?;
        let failed = |what: String| Err(Error::new(ErrorKind::Dataset, what).at(&path).mend(RESPLIT));
        if made_with.seed != config.seed {
            return failed(format!("this split was made with seed {}; asked for is {}", made_with.seed, config.seed));
        }
        let (then, now) = (made_with.fractions, fractions(&config.split));
        if then != now {
            return failed(format!("this split was made with fractions {then:?}; asked for is {now:?}"));
        }
        let left_out = made_with.left_out.iter().map(|(name, photo)| (name.clone(), photo.bytes));
        let Decided { dropped, relabelled, .. } = &made_with.decided;
        let origin: BTreeMap<&str, &str> = relabelled.iter().map(|(from, to)| (to.as_str(), from.as_str())).collect();
        let name = |row: &Row| origin.get(row.name()).copied().unwrap_or(row.name()).to_string();
        let dropped = dropped.iter().map(|(name, bytes)| (name.clone(), *bytes));
        let then: BTreeSet<_> = rows.iter().map(|row| (name(row), row.bytes)).chain(left_out).chain(dropped).collect();
        let photo = |Sample { path, .. }: &Sample| Ok((short(path)?, size_of(path)));
        let now = self.samples.iter().map(photo).collect::<Result<BTreeSet<_>>>()?;
        let differ: BTreeSet<&str> = then.symmetric_difference(&now).map(|(name, _)| name.as_str()).collect();
        if differ.is_empty() {
            let same = made_with.decided.sha256 == honoured.sha256;
            return same.then(|| Splits::open(data)).transpose();
        }
        if then.is_disjoint(&now) {
            let what = format!("this split was made of other photos than those in {}", self.root.display());
            let own = "give each set of photos a project of its own (`--data` and `--models`; in a notebook: Project::open(\"…\"))";
            return Err(Error::new(ErrorKind::Dataset, what).at(&path).mend(format!("{own}, or {RESPLIT}")));
        }
        let names = differ.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        failed(format!("{} photos were added, removed or changed since this split was made: {names}", differ.len()))
    }

    fn plan(&self, data: &Path, config: &Config, honoured: &Honoured) -> Result<Plan> {
        let Verification { good, bad } = self.verify()?;
        let groups = duplicates::groups(&good);
        let splits = partition(&good, &groups, &self.classes, &config.split, Seed(config.seed))
            .map_err(|error| error.at(&self.root))?;
        let classes = self.classes_after(&good, honoured)?;
        let (files, decided) = self.places(&good, &splits, &classes, honoured)?;
        self.check_filled(&files).map_err(|error| error.at(data.join(DECISIONS)))?;
        let is_twin = |(photo, first): &(usize, &usize)| photo != *first && classes[*photo].is_some();
        let twins: Vec<_> = groups.iter().enumerate().filter(is_twin).collect();
        let mut conflicts = Vec::new();
        for &(photo, &first) in &twins {
            if classes[first].is_some() && classes[photo] != classes[first] {
                conflicts.push((short(&good[first].sample.path)?, short(&good[photo].sample.path)?));
            }
        }
        let made_with = MadeWith {
            seed: config.seed,
            fractions: fractions(&config.split),
            classes: self.classes.to_vec(),
            duplicates: twins.len(),
            conflicts,
            left_out: bad
                .into_iter()
                .map(|(path, why)| Ok((short(&path)?, LeftOut { bytes: size_of(&path), why })))
                .collect::<Result<_>>()?,
            decided,
        };
        Ok(Plan { files, made_with })
    }

    /// The class of each photo after the decisions; none for those that were dropped.
    fn classes_after<'a>(&'a self, good: &[Checked], honoured: &'a Honoured) -> Result<Vec<Option<&'a String>>> {
        let class = |checked: &Checked| {
            Ok(match honoured.by_name.get(&short(&checked.sample.path)?) {
                Some(Decision::Drop) => None,
                Some(Decision::Relabel(class)) => Some(class),
                _ => Some(&self.classes[checked.sample.target]),
            })
        };
        good.iter().map(class).collect()
    }

    /// Where each photo goes, sorted as in the manifest, and what the decisions did.
    fn places(
        &self,
        good: &[Checked],
        splits: &[Split],
        classes: &[Option<&String>],
        honoured: &Honoured,
    ) -> Result<(Vec<(PathBuf, Row)>, Decided)> {
        let mut taken: BTreeSet<String> = self.samples.iter().map(|s| short(&s.path)).collect::<Result<_>>()?;
        let mut decided =
            Decided { sha256: honoured.sha256.clone(), unused: honoured.unused.clone(), ..Decided::default() };
        let mut files = Vec::with_capacity(good.len());
        for ((checked, split), class) in good.iter().zip(splits).zip(classes) {
            let Checked { sample, bytes, sha256, .. } = checked;
            let own = short(&sample.path)?;
            let Some(class) = class else {
                decided.dropped.insert(own, *bytes);
                continue;
            };
            let name = if **class == self.classes[sample.target] { own } else { free_name(&own, class, &taken) };
            if taken.insert(name.clone()) {
                decided.relabelled.insert(short(&sample.path)?, name.clone());
            }
            let path = format!("{split}/{name}");
            let row = Row { path, class: class.to_string(), split: *split, bytes: *bytes, sha256: sha256.clone() };
            files.push((sample.path.clone(), row));
        }
        files.sort_by_cached_key(|(_, row)| (row.split, row.class.clone(), row.path.clone()));
        Ok((files, decided))
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

/// What a split will be.
struct Plan {
    /// Each photo and its place.
    files: Vec<(PathBuf, Row)>,
    made_with: MadeWith,
}

impl Plan {
    /// Does it; the caller holds the lock. A run that is killed in between is undone by the next one.
    fn carry_out(&self, data: &Path) -> Result<Splits> {
        let (manifest, unfinished) = (data.join(MANIFEST), data.join(UNFINISHED));
        let mut ours = BTreeSet::new();
        for old in [&manifest, &unfinished].into_iter().filter(|path| path.exists()) {
            ours.extend(manifest::read(old)?.into_iter().map(|row| row.path));
        }
        // Before anything is removed or written: from here on, every file that a manifest names is ours.
        let foreign =
            self.files.iter().map(|(_, row)| row).find(|row| !ours.contains(&row.path) && row.file(data).exists());
        if let Some(row) = foreign {
            let what = "a file that is not of this split is in its place";
            return Err(Error::new(ErrorKind::Dataset, what)
                .at(row.file(data))
                .mend("move it away and run this again"));
        }
        remove_rows(data, &unfinished)?;
        remove_rows(data, &manifest)?;
        let rows: Vec<Row> = self.files.iter().map(|(_, row)| row.clone()).collect();
        manifest::write(&unfinished, &rows)?;
        for (source, row) in &self.files {
            place(source, &row.file(data))?;
        }
        self.made_with.write(data)?;
        fs::rename(&unfinished, &manifest).map_err(|cause| Error::io("rename", &unfinished, &cause))?;
        Splits::open(data)
    }
}

/// A hard link where the file system has them, else a copy.
fn place(source: &Path, target: &Path) -> Result<()> {
    if let Some(folder) = target.parent() {
        files::create_dir(folder)?;
    }
    // A link to a link would lead nowhere from another folder.
    let source = source.canonicalize().map_err(|cause| Error::io("read", source, &cause))?;
    if fs::hard_link(&source, target).is_err() {
        fs::copy(&source, target).map_err(|cause| Error::io("copy to", target, &cause))?;
    }
    Ok(())
}

/// Removes what a manifest lists, then the manifest, then folders that are empty. Other files stay.
fn remove_rows(data: &Path, manifest: &Path) -> Result<()> {
    if !manifest.exists() {
        return Ok(());
    }
    let mut folders = BTreeSet::new();
    for row in manifest::read(manifest)? {
        let file = row.file(data);
        match fs::remove_file(&file) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &file, &cause));
            }
            _ => {}
        }
        folders.extend(file.ancestors().skip(1).take(2).map(Path::to_path_buf));
    }
    fs::remove_file(manifest).map_err(|cause| Error::io("remove", manifest, &cause))?;
    // The deepest first; one that still holds something stays.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// Bytes of a file; 0 where it cannot be found.
fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// A name for a photo in another class than its own: `roses/1.jpg` becomes `tulips/roses_1.jpg`, or the next that is not taken.
fn free_name(own: &str, class: &str, taken: &BTreeSet<String>) -> String {
    let own = own.replace('/', "_");
    let mut name = format!("{class}/{own}");
    while taken.contains(&name) {
        name = name.replacen('/', "/_", 1);
    }
    name
}

/// `class/file`.
pub(super) fn short(path: &Path) -> Result<String> {
    let class = path.parent().map(name_of).transpose()?.unwrap_or_default();
    Ok(format!("{class}/{}", name_of(path)?))
}
