//! All runs of a project, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::record::RunRecord;
use crate::base::error::{Error, ErrorKind, Result, nearest};
use crate::base::files;
use crate::base::project::Project;

/// All runs of a project: those with the lowest validation loss first, those without an epoch last.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project) -> Result<()> {
/// let runs = Runs::open(project)?; // as a cell's last line, it shows them side by side
/// if let Some(best) = runs.best() {
///     println!("{} {:?}", best.name, best.report());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Runs {
    /// The folder that holds them.
    pub folder: PathBuf,
    /// Those that can be read.
    pub runs: Vec<RunRecord>,
    /// Folders that cannot be read, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
}

impl Runs {
    /// Reads every folder in `models/runs/`; hidden ones are left out. None is fine.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the folder itself cannot be listed. A run that cannot be read is none: it stands in `unreadable`.
    pub fn open(project: &Project) -> Result<Self> {
        let folder = project.models.join("runs");
        let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
        let found = if folder.exists() { files::sorted_dir(&folder)? } else { Vec::new() };
        let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        for path in found.into_iter().filter(|path| path.is_dir() && !hidden(path)) {
            match RunRecord::read(&path) {
                Ok(run) => runs.push(run),
                Err(error) => unreadable.push((path, error)),
            }
        }
        let loss = |run: &RunRecord| run.history.best().map_or(f64::INFINITY, |epoch| epoch.val_loss);
        runs.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then(a.name.cmp(&b.name)));
        Ok(Self { folder, runs, unreadable })
    }

    /// The run of this name.
    ///
    /// # Errors
    /// Why it cannot be read; [`ErrorKind::Config`] if there is none.
    pub fn get(&self, name: &str) -> Result<&RunRecord> {
        if let Some(run) = self.runs.iter().find(|run| run.name == name) {
            return Ok(run);
        }
        match self.unreadable.iter().find(|(path, _)| path.file_name().is_some_and(|own| own == name)) {
            Some((_, error)) => Err(error.clone()),
            None => {
                let names: Vec<_> = self.runs.iter().map(|run| run.name.as_str()).collect();
                let known = if names.is_empty() { "none".into() } else { names.join(", ") };
                let what = format!("there is no run {name:?}; expected one of those there are: {known}");
                let mend = match nearest(name, &names) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "take one of these names; trainings make runs".into(),
                };
                Err(Error::new(ErrorKind::Config, what).at(&self.folder).mend(mend))
            }
        }
    }

    /// The run with the lowest validation loss, if all were measured on the same validation photos: losses on others say nothing of which
    /// is better.
    pub fn best(&self) -> Option<&RunRecord> {
        self.is_comparable().then(|| self.runs.first().filter(|run| run.history.best().is_some())).flatten()
    }

    /// Whether all runs were measured on the same validation photos.
    pub fn is_comparable(&self) -> bool {
        self.runs.iter().map(RunRecord::val_photos).collect::<BTreeSet<_>>().len() <= 1
    }

    /// The settings that are not the same in all runs: for each its value in every run, in the order of [`Runs::runs`].
    pub fn differences(&self) -> BTreeMap<String, Vec<String>> {
        let flat: Vec<BTreeMap<String, String>> = self.runs.iter().map(settings).collect();
        let keys: BTreeSet<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
        let values = |key: &String| flat.iter().map(|one| one.get(key).cloned().unwrap_or_default()).collect();
        let all = keys.into_iter().map(|key| (key.clone(), values(key)));
        all.filter(|(_, values): &(String, Vec<String>)| values.windows(2).any(|pair| pair[0] != pair[1])).collect()
    }
}

/// The settings by dotted keys (`head.epochs`), as `config.toml` writes them.
fn settings(run: &RunRecord) -> BTreeMap<String, String> {
    fn walk(prefix: &str, value: &toml::Value, flat: &mut BTreeMap<String, String>) {
        match value {
            toml::Value::Table(table) => {
                let dot = if prefix.is_empty() { "" } else { "." };
                table.iter().for_each(|(key, value)| walk(&format!("{prefix}{dot}{key}"), value, flat));
            }
            toml::Value::String(text) => drop(flat.insert(prefix.into(), text.clone())),
            other => drop(flat.insert(prefix.into(), other.to_string())),
        }
    }
    let mut flat = BTreeMap::new();
    if let Ok(table) = run.config.to_toml().parse::<toml::Table>() {
        walk("", &toml::Value::Table(table), &mut flat);
    }
    flat
}
