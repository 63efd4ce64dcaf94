//! All pictures in a folder and below, by content and not by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::left_out::{LeftOut, Reason, grouped};
use super::names::{below, shown_below};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, Identity};
use crate::pixels::{self, Limits};

/// A file whose content is a picture of a format that petal reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The file.
    pub(super) path: PathBuf,
    /// Its path below the root, with `/`.
    pub(super) name: String,
}

/// A search below a root. Folders in folders and linked ones are searched, each once; what is no picture is noted.
pub(super) struct Search {
    root: PathBuf,
    limits: Limits,
    /// Folders of petal's own, which are never searched.
    own: Vec<(PathBuf, Identity)>,
    /// What is not used, by its path below the root.
    pub(super) left_out: BTreeMap<String, LeftOut>,
}

/// What stands in a folder.
pub(super) struct Listing {
    /// Pictures.
    pub(super) photos: Vec<Found>,
    /// Folders that may hold some.
    pub(super) folders: Vec<PathBuf>,
}

/// What one entry of a folder is.
enum Entry {
    Photo,
    Folder(Identity),
    Left(LeftOut),
}

impl Search {
    /// A search below this folder that stays out of those of petal's own.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if there is no such folder, or it is one of petal's own; [`ErrorKind::Io`] if it may not be looked at.
    pub(super) fn new(root: &Path, own: &[&Path], limits: Limits) -> Result<Self> {
        let failed = |what: &str, mend: &str| Err(Error::new(ErrorKind::Dataset, what).at(root).mend(mend));
        match fs::metadata(root) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return failed(
                    "this is a file; expected a folder",
                    "name the folder that holds one folder of photos per class",
                );
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return failed("there is no such folder", "name a folder that holds one folder of photos per class");
            }
            Err(cause) => return Err(Error::io("open", root, &cause)),
        }
        let own = own.iter().filter_map(|path| Some((path.to_path_buf(), Identity::of(path).ok()?)));
        Ok(Self { root: root.to_path_buf(), limits, own: own.collect(), left_out: BTreeMap::new() })
    }

    /// What stands in a folder: pictures and folders; the rest is noted.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be listed; [`ErrorKind::Dataset`] for a photo whose name no manifest can hold, and for a folder of
    /// petal's own that somebody keeps photos in.
    pub(super) fn list(&mut self, folder: &Path) -> Result<Listing> {
        let mut listing = Listing { photos: Vec::new(), folders: Vec::new() };
        self.list_into(folder, &mut listing, &mut BTreeSet::new())?;
        Ok(listing)
    }

    /// All pictures in a folder and below, sorted by path.
    ///
    /// # Errors
    /// Those of [`Search::list`]; of folders below, those that may not be listed are noted.
    pub(super) fn below(&mut self, folder: &Path) -> Result<Vec<Found>> {
        // Each folder once, however many ways lead to it, and none that this one lies in: so links in a circle end.
        let real = folder.canonicalize().unwrap_or_default();
        let above = folder.ancestors().chain(real.ancestors());
        let mut seen: BTreeSet<Identity> = above.filter_map(|above| Identity::of(above).ok()).collect();
        let mut listing = Listing { photos: Vec::new(), folders: Vec::new() };
        self.list_into(folder, &mut listing, &mut seen)?;
        while let Some(next) = listing.folders.pop() {
            match self.list_into(&next, &mut listing, &mut seen) {
                Err(error) if error.kind() == ErrorKind::Io => {
                    self.leave_out(&next, LeftOut::new(Reason::NoPermission).because(error.what()));
                }
                other => other?,
            }
        }
        listing.photos.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing.photos)
    }

    fn list_into(&mut self, folder: &Path, listing: &mut Listing, seen: &mut BTreeSet<Identity>) -> Result<()> {
        let paths = files::sorted_dir(folder)?;
        let entries: Vec<Entry> = paths.par_iter().map(|path| look(path, &self.limits)).collect();
        for (path, entry) in paths.into_iter().zip(entries) {
            if path.file_name().is_some_and(|name| name == MARK) {
                continue;
            }
            match entry {
                Entry::Photo => listing.photos.push(Found { name: below(&self.root, &path)?, path }),
                Entry::Left(left_out) => self.leave_out(&path, left_out),
                Entry::Folder(identity) => {
                    if self.own.iter().any(|(_, own)| *own == identity) {
                        self.check_own(&path)?;
                        self.leave_out(&path, LeftOut::new(Reason::OwnWork).because("petal's own folder"));
                    } else if is_petals(&path) {
                        self.leave_out(&path, LeftOut::new(Reason::OwnWork).because("a folder that petal has made"));
                    } else if seen.insert(identity) {
                        listing.folders.push(path);
                    } else {
                        self.leave_out(&path, LeftOut::new(Reason::SeenBefore));
                    }
                }
            }
        }
        Ok(())
    }

    /// A folder that bears the name of petal's own may be somebody's class: that is for a person to say.
    fn check_own(&self, folder: &Path) -> Result<()> {
        let photo =
            files::sorted_dir(folder)?.into_iter().find(|path| matches!(look(path, &self.limits), Entry::Photo));
        match photo {
            None => Ok(()),
            Some(photo) => {
                let name = folder.file_name().unwrap_or_default().to_string_lossy();
                let what = format!(
                    "{} lies in the folder that petal writes to; is {name} a class, or petal's own folder?",
                    photo.file_name().unwrap_or_default().to_string_lossy()
                );
                let mend = "give petal other folders (--data, --models; in a notebook: Project::open(\"another\")?), or move the photo away";
                Err(Error::new(ErrorKind::Dataset, what).at(folder).mend(mend))
            }
        }
    }

    /// Notes what is not used.
    pub(super) fn leave_out(&mut self, path: &Path, left_out: LeftOut) {
        let mut name = shown_below(&self.root, path);
        // Two names that are not UTF-8 may look alike.
        while self.left_out.contains_key(&name) {
            name.push('\u{fffd}');
        }
        self.left_out.insert(name, left_out);
    }

    /// Whether something of petal's own was found below a folder.
    pub(super) fn holds_own_work(&self, folder: &Path) -> bool {
        let name = format!("{}/", shown_below(&self.root, folder));
        self.left_out.iter().any(|(path, left_out)| left_out.reason == Reason::OwnWork && path.starts_with(&name))
    }

    /// What there is below a folder of the root instead of photos, in words.
    pub(super) fn instead(&self, folder: &str) -> String {
        let inside = |name: &&String| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let own = self
            .left_out
            .iter()
            .filter(|(name, _)| inside(name))
            .map(|(name, left_out)| (name.clone(), left_out.clone()));
        let own = own.collect();
        let groups = grouped(&own);
        let said: Vec<String> = groups.iter().map(|(words, names)| format!("{} × {words}", names.len())).collect();
        if said.is_empty() { String::new() } else { format!(", but {}", said.join(", ")) }
    }
}

/// In an unpacked archive's folder, petal's own note of which archive it was.
pub(super) const MARK: &str = ".archive.sha256";

/// Names of files and folders that systems make, beside those with a dot before them.
const SYSTEMS: [&str; 8] = [
    "__MACOSX",
    "@eaDir",
    "#recycle",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "Thumbs.db",
    "desktop.ini",
];

/// Whether a name says that it is not meant to be seen.
pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || SYSTEMS.iter().any(|system| name.eq_ignore_ascii_case(system))
}

/// Whether a folder holds what petal writes into folders for data or models.
fn is_petals(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    let is_data = has("split.json") && (has("manifest.csv") || has("manifest.unfinished.csv"));
    let is_run = |run: PathBuf| run.join("run.json").is_file() && run.join("config.toml").is_file();
    let runs = folder.join("runs");
    is_data
        || is_run(folder.to_path_buf())
        || (runs.is_dir() && files::sorted_dir(&runs).is_ok_and(|runs| runs.into_iter().any(is_run)))
}

/// Whether a file's content is a picture of a format that petal reads.
pub(super) fn is_photo(path: &Path) -> bool {
    matches!(look(path, &Limits::default()), Entry::Photo)
}

fn look(path: &Path, limits: &Limits) -> Entry {
    if is_hidden(path) {
        return Entry::Left(LeftOut::new(Reason::Hidden));
    }
    match entry(path, limits) {
        Ok(entry) => entry,
        Err(cause) => Entry::Left(match cause.kind() {
            io::ErrorKind::PermissionDenied => {
                LeftOut::new(Reason::NoPermission).because(format!("may not be read: {cause}"))
            }
            _ if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) => LeftOut::new(Reason::BrokenLink),
            _ => LeftOut::new(Reason::Damaged).because(format!("cannot read this file: {cause}")),
        }),
    }
}

fn entry(path: &Path, limits: &Limits) -> io::Result<Entry> {
    let found = fs::metadata(path)?;
    if found.is_dir() {
        return Ok(Entry::Folder(Identity::of(path)?));
    }
    let left = |reason: Reason| LeftOut::new(reason).of(found.len());
    if !found.is_file() {
        return Ok(Entry::Left(left(Reason::NotAFile)));
    }
    if found.len() == 0 {
        return Ok(Entry::Left(left(Reason::Empty)));
    }
    let mut beginning = Vec::new();
    File::open(path)?.take(pixels::BEGINNING as u64).read_to_end(&mut beginning)?;
    let format = pixels::Format::of(&beginning);
    Ok(match format {
        _ if pixels::is_drawn_by_petal(&beginning) => {
            Entry::Left(left(Reason::OwnWork).because("a figure that petal has drawn"))
        }
        _ if format.is_read() && found.len() > limits.file_bytes as u64 => {
            Entry::Left(left(Reason::TooLarge).because(limits.refuse_bytes(found.len()).what()))
        }
        _ if format.is_read() => Entry::Photo,
        _ if format.is_picture() => Entry::Left(LeftOut::not_read(&format.refused()).of(found.len())),
        _ => Entry::Left(left(Reason::NotAPicture)),
    })
}
