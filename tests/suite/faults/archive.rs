//! What is unpacked of an archive, whole or not at all: also when it is damaged, when it is killed, and where other photos are.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use petal::data::Dataset;
use petal::data::archive::{Limits, Unpacked, unpack};
use petal::pixels::encode_jpeg;
use petal::{ErrorKind, Result, Unheard, files};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use crate::data::{listed, names, picture, project, tree};
use crate::support::{again, wait_for};

pub(super) type Tar = Builder<Vec<u8>>;

/// Adds an entry with any name at all: the builder itself would refuse some.
pub(super) fn add(tar: &mut Tar, kind: EntryType, name: &[u8], link: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

pub(super) fn file(tar: &mut Tar, name: &str, content: &[u8]) {
    add(tar, EntryType::Regular, name.as_bytes(), "", content);
}

/// Two good photos, as every archive of these tests begins.
pub(super) fn begun() -> Tar {
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, EntryType::Directory, b"photos/", "", b"");
    file(&mut tar, "photos/roses/1.jpg", b"a rose");
    file(&mut tar, "photos/LICENSE.txt", b"CC-BY");
    tar
}

pub(super) fn packed(tar: Tar) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&tar.into_inner().unwrap()).unwrap();
    gz.finish().unwrap()
}

/// A folder with an archive in it, and what comes of unpacking it beside that.
pub(super) struct Place(TempDir);

impl Place {
    pub(super) fn new(archive: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.tgz"), archive).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn unpack(&self, limits: &Limits) -> Result<Unpacked> {
        let archive = self.path().join("a.tgz");
        files::write_dir(&self.path().join("in/photos"), |scratch| unpack(&archive, scratch, limits, &mut Unheard))
    }

    /// Expects that it is refused with these words, that the error names the archive, and that nothing is left.
    pub(super) fn refused(&self, limits: &Limits, words: &str) {
        let error = self.unpack(limits).expect_err(words);
        assert_eq!(error.kind(), ErrorKind::Archive, "{error}");
        assert!(error.what().contains(words), "{words}: {error}");
        assert_eq!(error.path(), Some(self.path().join("a.tgz").as_path()));
        assert!(error.how_to_mend().is_some());
        assert_eq!(names(self.path()), ["a.tgz"], "{words}");
        assert!(files::sorted_dir(&self.path().join("in")).unwrap().is_empty());
    }
}

#[test]
fn the_real_layout_is_unpacked_without_what_macos_adds() {
    let mut tar = begun();
    add(&mut tar, EntryType::Directory, b"./photos/./tulips", "", b"");
    file(&mut tar, "photos/tulips/gelbe Tulpe \u{1F337}.JPG", b"a tulip");
    let long = format!("photos/tulips/{}.jpg", "long".repeat(40));
    tar.append_data(&mut plain(6), &long, &b"a long"[..]).unwrap();
    file(&mut tar, "photos/tulips/._1.jpg", b"fork");
    file(&mut tar, "__MACOSX/photos/x", b"fork");
    file(&mut tar, "photos/.DS_Store", b"view");
    let place = Place::new(&packed(tar));
    let unpacked = place.unpack(&Limits::default()).unwrap();
    assert_eq!(unpacked.files, 4);
    assert_eq!(unpacked.ignored, ["photos/tulips/._1.jpg", "__MACOSX/photos/x", "photos/.DS_Store"]);
    let long = long.strip_prefix("photos/").unwrap().to_string();
    let expected = ["LICENSE.txt", "roses/1.jpg", "tulips/gelbe Tulpe \u{1F337}.JPG", &long];
    assert_eq!(names(&place.path().join("in/photos")), expected);
    assert_eq!(fs::read(place.path().join("in/photos/roses/1.jpg")).unwrap(), b"a rose");
}

fn plain(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    header
}

#[test]
fn f16_a_damaged_archive_is_refused() {
    let whole = packed(begun());
    for length in [0, 5, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        Place::new(&whole[..length]).refused(&Limits::default(), "damaged or cut short");
    }
    let mut wrong = whole.clone();
    // The checksum of the whole content.
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    Place::new(&wrong).refused(&Limits::default(), "damaged or cut short");
    Place::new(&[whole.clone(), b"more".to_vec()].concat()).refused(&Limits::default(), "something follows");
    for other in [&b"PK\x03\x04 a zip"[..], b"<html>", &begun().into_inner().unwrap()] {
        Place::new(other).refused(&Limits::default(), "damaged or cut short");
    }
    // An entry that says it is longer than the rest of the archive.
    let mut tar = begun().into_inner().unwrap();
    tar.truncate(tar.len() - 1024 - 512);
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&tar).unwrap();
    Place::new(&gz.finish().unwrap()).refused(&Limits::default(), "cut short");
}

const CHILD: &str = "PETAL_TEST_ARCHIVE";

/// The other process reads the archive from a pipe, so that it is surely in the middle when it is killed.
#[cfg(unix)]
#[test]
fn f17_killed_in_the_middle_and_run_again() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let folder = Path::new(&folder);
        let _ = files::write_dir(&folder.join("photos"), |scratch| {
            unpack(&folder.join("pipe"), scratch, &Limits::default(), &mut Unheard)
        });
        return;
    }
    let mut tar = Builder::new(Vec::new());
    // Without a pattern, so that half of the packed bytes are about half of the files.
    let noise = crate::support::some_bytes();
    for number in 0..20 {
        file(&mut tar, &format!("photos/roses/{number}.jpg"), &noise[number * 20_000..][..20_000]);
    }
    let archive = packed(tar);
    let clean = Place::new(&archive);
    clean.unpack(&Limits::default()).unwrap();

    let place = Place::new(&archive);
    let folder = place.path().join("in");
    fs::create_dir(&folder).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
    let mut child = again("faults::archive::f17_killed_in_the_middle_and_run_again", CHILD, &folder);
    let mut child = child.stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = fs::File::options().write(true).open(folder.join("pipe")).unwrap();
    pipe.write_all(&archive[..archive.len() / 2]).unwrap();
    let scratch = folder.join(".photos.incomplete");
    wait_for("the first photos", || scratch.exists() && tree(&scratch).len() > 5);
    // Another one does not disturb it.
    let error = place.unpack(&Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.what().contains(&format!("process {}", child.id())), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.join("photos").exists());
    fs::remove_file(folder.join("pipe")).unwrap();

    place.unpack(&Limits::default()).unwrap();
    assert!(tree(place.path()) == tree(clean.path()));
}

/// An archive with two classes of three photos each.
fn flowers(first: u64) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (number, class) in (first..).zip(["roses", "roses", "roses", "tulips", "tulips", "tulips"]) {
        file(&mut tar, &format!("flower_photos/{class}/{number}.jpg"), &encode_jpeg(&picture(number), 90).unwrap());
    }
    file(&mut tar, "flower_photos/LICENSE.txt", b"CC-BY");
    packed(tar)
}

#[test]
fn another_archive_is_asked_about_and_a_bad_one_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let project = project(folder.path());
    let archive = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name)
    };
    let (first, second) = (archive("1.tgz", &flowers(1)), archive("2.tgz", &flowers(7)));
    let mut evil = begun();
    file(&mut evil, "../evil", b"x");
    let evil = archive("evil.tgz", &packed(evil));

    let photos = Dataset::from_archive(&project, &first, false).unwrap();
    assert_eq!(photos.classes[..], ["roses", "tulips"]);
    let then = listed(&photos);
    assert_eq!(then[0], "roses/1.jpg");
    assert_eq!(photos.left_out.len(), 1);
    // The same again is found there.
    assert_eq!(listed(&Dataset::from_archive(&project, &first, false).unwrap()), then);

    let error = Dataset::from_archive(&project, &second, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dataset);
    assert!(error.how_to_mend().unwrap().contains("--replace"));
    assert_eq!(Dataset::from_archive(&project, &evil, true).unwrap_err().kind(), ErrorKind::Archive);
    assert_eq!(listed(&Dataset::folder(&photos.root).unwrap()), then);
    assert!(Dataset::from_archive(&project, &folder.path().join("no.tgz"), true).is_err());

    let now = Dataset::from_archive(&project, &second, true).unwrap();
    assert_eq!(listed(&now)[0], "roses/7.jpg");
    assert_eq!(now.samples.len(), 6);
    assert_eq!(files::sorted_dir(&project.data.join("raw")).unwrap(), [now.root]);
}
