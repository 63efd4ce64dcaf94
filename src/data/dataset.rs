//! Photos in one folder per class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::{self, Limits};
use super::download::{self, Download};
use super::{source, synthetic};
use crate::config::{Config, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::project::Project;
use crate::seed::Seed;

/// A photo and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The file.
    pub path: PathBuf,
    /// Index into the sorted class names.
    pub target: usize,
}

/// Photos in one folder per class.
///
/// ```no_run
/// # use petal::prelude::*;
/// # fn cells(project: &Project, config: &Config) -> Result<()> {
/// let photos = Dataset::fetch(project, config)?; // or Dataset::folder("my_photos")?
/// photos.verify()?; // every file decoded once; bad ones by name
/// let splits = photos.split(project, config)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The folder that holds one folder per class.
    pub root: PathBuf,
    /// Class names, sorted.
    pub classes: Arc<[String]>,
    /// All photos, sorted by class, then by file name.
    pub samples: Vec<Sample>,
    /// Files and folders that are no photos and no classes, and why.
    pub ignored: Vec<(PathBuf, String)>,
    /// Whose photos they are and what may be done with them.
    pub licence: String,
}

impl Dataset {
    /// The photos that the settings name. What is there already is not fetched again.
    ///
    /// # Errors
    /// What a download, an archive or a folder can give.
    pub fn fetch(project: &Project, config: &Config) -> Result<Self> {
        Self::fetch_with(project, config, &mut |_, _| ())
    }

    /// The same; `tick` is told how many bytes of a download are done, and of how many.
    pub fn fetch_with(project: &Project, config: &Config, tick: &mut dyn FnMut(u64, u64)) -> Result<Self> {
        let raw = project.data.join("raw");
        match &config.source {
            Source::Folder(folder) => Self::folder(folder),
            Source::Synthetic { per_class } => {
                let root = raw.join(format!("synthetic-{per_class}-{}", config.seed));
                if !root.exists() {
                    files::write_dir(&root, |scratch| synthetic::draw(scratch, *per_class, Seed(config.seed)))?;
                }
                Ok(Self { licence: "drawn by petal; do with them what you like".into(), ..Self::folder(&root)? })
            }
            Source::TfFlowers => {
                let root = raw.join("flower_photos");
                if !root.exists() {
                    let archive = raw.join("flower_photos.tgz");
                    download(&archive, tick)?;
                    unpack(&archive, source::SHA256, &root)?;
                }
                Ok(Self { licence: source::LICENCE.into(), ..Self::folder(&root)? })
            }
        }
    }

    /// The photos of a local archive (`.tgz`), unpacked to `data/raw/flower_photos`: from then on they take the place of the download.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if another archive was unpacked there before and `replace` is false; [`ErrorKind::Archive`] for
    /// one that is damaged or holds what no data set should. What was there before is still there then.
    pub fn from_archive(project: &Project, path: &Path, replace: bool) -> Result<Self> {
        let root = project.data.join("raw").join("flower_photos");
        let sha256 = files::sha256_file(path)?;
        let known = std::fs::read_to_string(root.join(MARK)).unwrap_or_default();
        if root.exists() && known != sha256 && !replace {
            let what = "another archive was unpacked here before";
            let mend = "replace it with --replace, or use another --data folder";
            return Err(Error::new(ErrorKind::Dataset, what).at(&root).mend(mend));
        }
        if !root.exists() || known != sha256 {
            unpack(path, &sha256, &root)?;
        }
        Ok(Self { licence: source::LICENCE.into(), ..Self::folder(&root)? })
    }

    /// Any folder with one folder of JPEG or PNG photos per class. The classes are the folders' names, sorted. Hidden files and
    /// folders (`.ipynb_checkpoints`), `__MACOSX`, folders in class folders and files with other endings are left out and listed
    /// in `ignored`.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`]: no such folder, fewer than two classes, a class without photos, a name that is not UTF-8.
    pub fn folder(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let failed =
            |what: String, path: &Path, mend: &str| Err(Error::new(ErrorKind::Dataset, what).at(path).mend(mend));
        match std::fs::metadata(root) {
            Ok(found) if found.is_dir() => {}
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("open", root, &cause)),
            _ => {
                let mend = "name a folder that holds one folder of photos per class";
                return failed("there is no such folder".into(), root, mend);
            }
        }
        let (mut classes, mut samples, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
        for folder in files::sorted_dir(root)? {
            let name = name_of(&folder)?;
            if name == MARK {
                continue;
            }
            if !folder.is_dir() || name.starts_with('.') || name == "__MACOSX" {
                ignored.push((folder, "not a class folder".into()));
                continue;
            }
            let before = samples.len();
            for path in files::sorted_dir(&folder)? {
                match why_not(&path) {
                    Some(why) => ignored.push((path, why.into())),
                    None => {
                        name_of(&path)?;
                        samples.push(Sample { path, target: classes.len() });
                    }
                }
            }
            if samples.len() == before {
                let what = format!("class {name:?} has no photos (.jpg, .jpeg, .png)");
                let nested = ignored.iter().any(|(path, _)| path.parent() == Some(&folder) && path.is_dir());
                let mend =
                    if nested { "name the folder right above the class folders" } else { "add photos, or remove it" };
                return failed(what, &folder, mend);
            }
            classes.push(name);
        }
        if classes.len() < 2 {
            let what = format!("there are {} class folders; expected at least 2", classes.len());
            return failed(what, root, "put the photos of each class into a folder of its own");
        }
        let licence = "your own photos".into();
        Ok(Self { root: root.to_path_buf(), classes: classes.into(), samples, ignored, licence })
    }

    /// Photos of each class.
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for sample in &self.samples {
            *counts.entry(self.classes[sample.target].as_str()).or_default() += 1;
        }
        counts
    }
}

/// The name of a class or a photo. It has to mean the same wherever the manifest is read.
pub(super) fn name_of(path: &Path) -> Result<String> {
    let fault = match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if !name.contains('\\') => return Ok(name.into()),
        Some(_) => "this name has a backslash in it",
        None => "this name is not UTF-8",
    };
    Err(Error::new(ErrorKind::Dataset, fault).at(path).mend("rename it"))
}

/// In an unpacked archive's folder: the archive's SHA-256.
const MARK: &str = ".archive.sha256";

fn unpack(archive: &Path, sha256: &str, root: &Path) -> Result<()> {
    files::write_dir(root, |scratch| {
        archive::unpack(archive, scratch, &Limits::default())?;
        files::write_bytes(&scratch.join(MARK), sha256.as_bytes())
    })
}

/// Why a file is no photo of a class; nothing for photos.
pub(super) fn why_not(path: &Path) -> Option<&'static str> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if path.is_dir() {
        Some("a folder in a class folder")
    } else if name.starts_with('.') {
        Some("hidden")
    } else if !["jpg", "jpeg", "png"].contains(&ending.as_str()) {
        Some("not .jpg, .jpeg or .png")
    } else {
        None
    }
}

fn download(archive: &Path, tick: &mut dyn FnMut(u64, u64)) -> Result<()> {
    let by_hand = format!(
        "fetch it elsewhere ({} bytes, SHA-256 {}) and put it at {}, or give it with `petal download-dataset --archive FILE`",
        source::BYTES,
        source::SHA256,
        archive.display()
    );
    if archive.exists() {
        let got = files::sha256_file(archive)?;
        if got == source::SHA256 {
            return Ok(());
        }
        let what = format!("this is not the archive: expected SHA-256 {}, got {got}", source::SHA256);
        return Err(Error::new(ErrorKind::Checksum, what)
            .at(archive)
            .mend(format!("delete it and run this again, or {by_hand}")));
    }
    if download::is_offline() {
        let what = format!("{} is not on this machine, and going online was ruled out", source::URL);
        return Err(Error::new(ErrorKind::Offline, what).at(archive).mend(by_hand));
    }
    let (url, sha256, bytes) = (source::URL, source::SHA256, Some(source::BYTES));
    Download { url, sha256, bytes, token: None, by_hand }.to(archive, tick)
}
