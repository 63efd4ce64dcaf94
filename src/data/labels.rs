//! A table of labels, as sets of photos come from Kaggle: which photo is of which class, and, where it says so, of which part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::layout::{Labelled, Named, part_of};
use super::left_out::{LeftOut, Reason};
use super::names::folded;
use super::sample::Split;
use super::search::{Found, Search};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files::{self, cells};

/// Names of the column that names the photo, the surest first.
const PATHS: [&str; 16] = [
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "image_name",
    "image_id",
    "img",
    "img_path",
    "photo",
    "images",
    "name",
    "id",
];
/// Names of the column that names the class, the surest first.
const LABELS: [&str; 14] = [
    "label",
    "labels",
    "class",
    "class_name",
    "classname",
    "category",
    "target",
    "species",
    "breed",
    "variety",
    "type",
    "diagnosis",
    "tag",
    "y",
];
/// Names of the column that names the part.
const PARTS: [&str; 7] = ["split", "set", "subset", "part", "partition", "data set", "is_valid"];

/// Which columns of a table are read, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    path: usize,
    label: usize,
    part: Option<usize>,
    /// Whether the first row is a head.
    has_head: bool,
}

/// The photos below the search's root that a table labels.
///
/// The table is CSV, or separated by semicolons or tabs, with or without a head. A photo is named by its path below the root or beside the
/// table, with or without its ending, or by its file's name alone where no other has it.
///
/// # Errors
/// [`ErrorKind::Dataset`], naming the line: a row that cannot be understood, two labels for one photo, a name that fits two photos, a class that
/// cannot be a folder's name; or none of the photos is there.
pub(super) fn by_table(search: &mut Search, root: &Path, table: &Path) -> Result<Labelled> {
    let failed = |what: String| Error::new(ErrorKind::Dataset, what).at(table);
    let rows = read(table)?;
    let photos = search.below(root)?;
    let index = Index::new(&photos, root, table);
    let columns = columns(&rows, &index).map_err(|error| error.at(table))?;
    let mut labelled: BTreeMap<usize, (u64, String, Option<Split>)> = BTreeMap::new();
    let (mut missing, mut unlabelled): (BTreeSet<&str>, BTreeSet<usize>) = Default::default();
    for (line, row) in rows.iter().skip(usize::from(columns.has_head)) {
        let cell = |column: usize| row.get(column).map_or("", |cell| cell.trim());
        let (name, label) = (cell(columns.path), cell(columns.label));
        if name.is_empty() && label.is_empty() {
            continue;
        }
        let photo = match index.find(name) {
            Ok(Some(photo)) => photo,
            Ok(None) => {
                // One that is there and cannot be used is listed with the reason for that.
                if !search.left_out.contains_key(name) {
                    missing.insert(name);
                }
                continue;
            }
            Err(several) => {
                let names: Vec<&str> = several.into_iter().take(5).map(|photo| photos[photo].name.as_str()).collect();
                return Err(failed(format!("line {line}: {name:?} could be any of {}", names.join(", ")))
                    .mend("write its path below the folder of photos"));
            }
        };
        if label.is_empty() {
            unlabelled.insert(photo);
            continue;
        }
        check_class(label).map_err(|what| {
            failed(format!("line {line}: the class {label:?} {what}")).mend("give it another name in the table")
        })?;
        let part = match columns.part {
            None => None,
            Some(column) => {
                let head = rows.first().and_then(|(_, row)| row.get(column)).map_or("", String::as_str);
                let part = parse_part(cell(column), head);
                let mend = "write train, val or test into every row, or leave the column out";
                Some(part.ok_or_else(|| failed(format!("line {line}: {:?} is no part", cell(column))).mend(mend))?)
            }
        };
        let new = (*line, label.to_string(), part);
        if let Some((earlier, ..)) = labelled.get(&photo).filter(|known| (&known.1, known.2) != (&new.1, new.2)) {
            let what =
                format!("{} has another label or part in line {line} than in line {earlier}", photos[photo].name);
            return Err(failed(what).mend("keep one of the two lines; a photo has one class"));
        }
        labelled.insert(photo, new);
    }
    if labelled.is_empty() {
        let first =
            missing.iter().next().map_or_else(|| "it names none".into(), |first| format!("the first is {first:?}"));
        let what = format!("none of the photos in this table is in {}: {first}", root.display());
        return Err(failed(what).mend("name the folder of the photos with --photos"));
    }
    for name in &missing {
        search.left_out.insert((*name).to_string(), LeftOut::new(Reason::Missing));
    }
    let mut named: Vec<Named> = Vec::with_capacity(labelled.len());
    for (place, photo) in photos.into_iter().enumerate() {
        match labelled.remove(&place) {
            Some((_, class, part)) => named.push((photo, class, part)),
            None => {
                let why = if unlabelled.contains(&place) {
                    "its label is empty"
                } else {
                    "the table of labels does not name it"
                };
                search.leave_out(&photo.path, LeftOut::new(Reason::NoLabel).because(why));
            }
        }
    }
    let labelled = Labelled::new(named).map_err(|error| error.at(table))?;
    if labelled.classes.len() < 2 {
        let all = labelled.classes.join(", ");
        return Err(failed(format!("there are {} classes ({all}); expected at least 2", labelled.classes.len()))
            .mend("is this the column of the labels? name it label"));
    }
    Ok(labelled)
}

/// All rows with the numbers of their lines, all of one length.
fn read(table: &Path) -> Result<Vec<(u64, Vec<String>)>> {
    let broken =
        |what: String| Error::new(ErrorKind::Dataset, format!("this table of labels cannot be read: {what}")).at(table);
    if !table.is_file() {
        let what = if table.exists() {
            "this is no file; expected a table of labels"
        } else {
            "there is no such table of labels"
        };
        return Err(Error::new(ErrorKind::Dataset, what)
            .at(table)
            .mend("name a CSV file with the columns path and label"));
    }
    let bytes = files::read(table)?;
    let text = std::str::from_utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes))
        .map_err(|_| broken("it is not UTF-8 text".into()).mend("save it as CSV in UTF-8"))?;
    let head = text.lines().next().unwrap_or_default();
    let count = |separator: &u8| head.bytes().filter(|byte| byte == separator).count();
    // The first of those that stand there most often.
    let separator = *[b',', b';', b'\t'].iter().rev().max_by_key(|separator| count(separator)).unwrap_or(&b',');
    if count(&separator) == 0 {
        return Err(broken("it has one column; expected a path and a label".into())
            .mend("write path,label into the first line, and a photo into each other"));
    }
    cells::rows(text.as_bytes(), separator).map_err(|error| broken(error.what().into()).mend("mend this line"))
}

/// Which columns hold what: by the names in the head; where there is no head, the first is the photo's and the second the class's.
fn columns(rows: &[(u64, Vec<String>)], index: &Index) -> Result<Columns> {
    let first: Vec<String> =
        rows.first().map(|(_, row)| row.iter().map(|cell| cell.trim().to_lowercase()).collect()).unwrap_or_default();
    let named = |names: &[&str]| names.iter().find_map(|name| first.iter().position(|cell| cell == name));
    let part = named(&PARTS);
    let is_photo = |cell: &String| matches!(index.find(cell.trim()), Ok(Some(_)) | Err(_));
    if rows.first().and_then(|(_, row)| row.first()).is_some_and(is_photo) {
        return Ok(Columns { path: 0, label: 1, part: None, has_head: false });
    }
    let others = |known: usize| {
        (0..first.len()).filter(move |column| *column != known && Some(*column) != part).collect::<Vec<_>>()
    };
    let (path, label) = match (named(&PATHS), named(&LABELS)) {
        (Some(path), Some(label)) => (path, label),
        // With one column left, there is no doubt.
        (Some(path), None) if others(path).len() == 1 => (path, others(path)[0]),
        (None, Some(label)) if others(label).len() == 1 => (others(label)[0], label),
        (None, None) if first.len() == 2 => (0, 1),
        _ => {
            let what = format!("which columns are the photo and its label? there are {}", first.join(", "));
            return Err(Error::new(ErrorKind::Dataset, what)
                .mend("name them path and label in the first line (and split, where there is such a column)"));
        }
    };
    Ok(Columns { path, label, part, has_head: true })
}

fn parse_part(cell: &str, head: &str) -> Option<Split> {
    if head.trim().eq_ignore_ascii_case("is_valid") {
        return match cell.to_lowercase().as_str() {
            "true" | "1" | "yes" => Some(Split::Val),
            "false" | "0" | "no" => Some(Split::Train),
            _ => None,
        };
    }
    part_of(cell)
}

/// Whether a label can be the name of a class's folder.
fn check_class(label: &str) -> std::result::Result<(), &'static str> {
    match label {
        "." | ".." => Err("cannot be a folder's name"),
        _ if label.contains(['/', '\\', '\0']) => Err("has a slash in it: it cannot be a folder's name"),
        _ if label.len() > 200 => Err("is longer than 200 bytes"),
        _ => Ok(()),
    }
}

/// Photos by all that a table may call them.
struct Index {
    /// By full path below the root; by that without ending; by file name; by that without ending. Each folded as a last resort.
    by: [BTreeMap<String, Vec<usize>>; 5],
    /// What stands before a path that begins beside the table: the way from the root to its folder, where it lies below.
    beside: Option<String>,
    root: PathBuf,
}

impl Index {
    fn new(photos: &[Found], root: &Path, table: &Path) -> Self {
        let mut by: [BTreeMap<String, Vec<usize>>; 5] = Default::default();
        for (place, photo) in photos.iter().enumerate() {
            let file = photo.name.rsplit('/').next().unwrap_or_default();
            let keys = [&photo.name, without_ending(&photo.name), file, without_ending(file), &folded(&photo.name)]
                .map(str::to_string);
            for (map, key) in by.iter_mut().zip(keys) {
                map.entry(key).or_default().push(place);
            }
        }
        let folder = table
            .parent()
            .and_then(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder }.canonicalize().ok());
        let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        let beside =
            folder.and_then(|folder| Some(folder.strip_prefix(&root).ok()?.to_string_lossy().replace('\\', "/")));
        Self { by, beside: beside.filter(|beside| !beside.is_empty()), root }
    }

    /// The photo of this name; none if there is none, several if the name fits several.
    fn find(&self, name: &str) -> std::result::Result<Option<usize>, Vec<usize>> {
        let mut name = name.replace('\\', "/");
        if let Ok(below) = Path::new(&name).strip_prefix(&self.root) {
            name = below.to_string_lossy().into_owned();
        }
        let name = name.trim_start_matches("./");
        if name.is_empty() {
            return Ok(None);
        }
        let mut ways = vec![name.to_string()];
        ways.extend(self.beside.iter().map(|beside| format!("{beside}/{name}")));
        // A path that begins above the root.
        ways.extend(name.match_indices('/').map(|(at, _)| name[at + 1..].to_string()));
        let [full, stem, file, file_stem, fold] = &self.by;
        let whole = ways.iter().flat_map(|way| [full.get(way), stem.get(way)]);
        let alone = [file.get(name), file_stem.get(name), fold.get(&folded(name))];
        match whole.chain(alone).flatten().next().map(Vec::as_slice) {
            None => Ok(None),
            Some([one]) => Ok(Some(*one)),
            Some(several) => Err(several.to_vec()),
        }
    }
}

/// A name without its ending, where that is one of a picture: `breed.v2` has none.
fn without_ending(name: &str) -> &str {
    const ENDINGS: [&str; 11] = ["jpg", "jpeg", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "jpe", "jxl"];
    match name.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending.to_lowercase().as_str()) => stem,
        _ => name,
    }
}
