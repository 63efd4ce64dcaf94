//! The ways in which folders of photos are laid out: one folder per class; or ready parts, each with one folder per class.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::left_out::{LeftOut, Reason};
use super::names::{check_distinct, name_of};
use super::sample::{Sample, Split};
use super::search::{Found, Search};
use crate::base::error::{Error, ErrorKind, Result};

/// Classes and photos, as a folder or a table of labels says.
pub(super) struct Labelled {
    /// Class names, sorted.
    pub(super) classes: Vec<String>,
    /// Sorted by class, then by name.
    pub(super) samples: Vec<Sample>,
}

/// A photo with the name of its class, and its part where it has one.
pub(super) type Named = (Found, String, Option<Split>);

impl Labelled {
    /// From photos with the names of their classes.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] for names that differ in case or Unicode form alone.
    pub(super) fn new(photos: Vec<Named>) -> Result<Self> {
        let classes: BTreeSet<String> = photos.iter().map(|(_, class, _)| class.clone()).collect();
        check_distinct(&classes)?;
        let classes: Vec<String> = classes.into_iter().collect();
        let sample = |(found, class, part): Named| {
            let target = classes.binary_search(&class).unwrap_or_else(|_| unreachable!("it is the class of a photo"));
            Sample { path: found.path, name: found.name, target, part }
        };
        let mut samples: Vec<Sample> = photos.into_iter().map(sample).collect();
        samples.sort_by(|a, b| (a.target, &a.name).cmp(&(b.target, &b.name)));
        Ok(Self { classes, samples })
    }
}

/// The part that a folder of this name holds in a set that is split already.
pub(super) fn part_of(name: &str) -> Option<Split> {
    match name.to_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "val" | "valid" | "validation" | "dev" => Some(Split::Val),
        "test" | "testing" => Some(Split::Test),
        _ => None,
    }
}

/// The photos of a folder by its own folders.
///
/// # Errors
/// [`ErrorKind::Dataset`]: fewer than two classes, a class without photos, names that differ in case or Unicode form alone.
pub(super) fn by_folders(search: &mut Search, root: &Path) -> Result<Labelled> {
    let top = search.list(root)?;
    for photo in top.photos {
        search.leave_out(&photo.path, LeftOut::new(Reason::NoClass));
    }
    let mut folders = Vec::new();
    for folder in top.folders {
        let photos = search.below(&folder)?;
        // One that petal has made its folders in is no class that has no photos.
        if !(photos.is_empty() && search.holds_own_work(&folder)) {
            folders.push((name_of(&folder)?, folder, photos));
        }
    }
    if is_split_already(&folders) { ready_parts(search, root, folders) } else { class_folders(search, root, folders) }
}

/// A folder at the top, with all photos in it and below.
type Top = (String, PathBuf, Vec<Found>);

/// Whether all folders that hold photos are parts, one of them for training, and that one holds folders of photos.
fn is_split_already(folders: &[Top]) -> bool {
    let filled = || folders.iter().filter(|(_, _, photos)| !photos.is_empty());
    let nested = |(_, folder, photos): &Top| photos.iter().any(|photo| photo.path.parent() != Some(folder));
    filled().count() > 1
        && filled().all(|(name, ..)| part_of(name).is_some())
        && filled().any(|top| part_of(&top.0) == Some(Split::Train) && nested(top))
}

fn class_folders(search: &Search, root: &Path, folders: Vec<Top>) -> Result<Labelled> {
    let failed = |what: String, path: &Path, mend: &str| Err(Error::new(ErrorKind::Dataset, what).at(path).mend(mend));
    let names: Vec<String> = folders.iter().map(|(name, ..)| name.clone()).collect();
    // Before anything is said of photos: two spellings of one class share them.
    check_distinct(&names).map_err(|error| error.at(root))?;
    if let Some((name, folder, _)) = folders.iter().find(|(_, _, photos)| photos.is_empty()) {
        let what = format!("class {name:?} has no photos{}", search.instead(name));
        return failed(
            what,
            folder,
            "add photos, or move this folder away; petal reads JPEG, PNG, WebP, GIF, BMP and TIFF",
        );
    }
    if folders.len() > 1 && folders.iter().all(|(name, ..)| part_of(name).is_some()) {
        let what = format!("{} are parts of a split, but hold no folders of classes", names.join(", "));
        return failed(
            what,
            root,
            "name the classes in a table of labels (--labels), or put the photos of each class into a folder of its own",
        );
    }
    if folders.len() < 2 {
        let what = format!(
            "there {} class folder{}; expected at least 2",
            if folders.len() == 1 { "is 1".into() } else { format!("are {}", folders.len()) },
            if folders.len() == 1 { "" } else { "s" }
        );
        let below: BTreeSet<&Path> = folders.iter().flat_map(|(_, folder, photos)| below(folder, photos)).collect();
        if let (Some((_, folder, _)), 2..) = (folders.first(), below.len()) {
            return failed(what, root, &format!("name the folder right above the class folders: {}", folder.display()));
        }
        let mend = "put the photos of each class into a folder of its own, or name their classes in a table (--labels)";
        return failed(what, root, mend);
    }
    let photos = folders
        .into_iter()
        .flat_map(|(name, _, photos)| photos.into_iter().map(move |photo| (photo, name.clone(), None)));
    Labelled::new(photos.collect()).map_err(|error| error.at(root))
}

/// The folders right below one that hold photos.
fn below<'a>(folder: &'a Path, photos: &'a [Found]) -> impl Iterator<Item = &'a Path> {
    photos.iter().filter_map(move |photo| {
        photo.path.ancestors().find(|above| above.parent() == Some(folder) && *above != photo.path)
    })
}

fn ready_parts(search: &mut Search, root: &Path, folders: Vec<Top>) -> Result<Labelled> {
    let mut photos: Vec<Named> = Vec::new();
    for (name, folder, found) in folders {
        let part = part_of(&name);
        for photo in found {
            // The folder right below the part's is the class's.
            match photo
                .path
                .ancestors()
                .find(|above| above.parent() == Some(&folder))
                .filter(|above| **above != *photo.path)
            {
                Some(class) => photos.push((photo.clone(), name_of(class)?, part)),
                None => search.leave_out(&photo.path, LeftOut::new(Reason::NoClass)),
            }
        }
    }
    let labelled = Labelled::new(photos).map_err(|error| error.at(root))?;
    let mut trained: BTreeMap<usize, bool> = (0..labelled.classes.len()).map(|class| (class, false)).collect();
    for sample in labelled.samples.iter().filter(|sample| sample.part == Some(Split::Train)) {
        trained.insert(sample.target, true);
    }
    if let Some((class, _)) = trained.iter().find(|(_, is_trained)| !**is_trained) {
        let what =
            format!("class {:?} has no photos to train on: it is in other parts alone", labelled.classes[*class]);
        return Err(Error::new(ErrorKind::Dataset, what)
            .at(root)
            .mend("add photos of it to train, or move it out of the other parts"));
    }
    if labelled.classes.len() < 2 {
        let what = format!("there are {} classes; expected at least 2", labelled.classes.len());
        return Err(Error::new(ErrorKind::Dataset, what)
            .at(root)
            .mend("put the photos of each class into a folder of its own in each part"));
    }
    Ok(labelled)
}
