//! F13–F15 and F18: archives that would do harm are refused, so that nothing is left of them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use petal::data::archive::Limits;
use tar::{Builder, EntryType, Header};

use super::archive::{Place, Tar, add, begun, file, packed};

fn refused(tar: Tar, words: &str) {
    Place::new(&packed(tar)).refused(&Limits::default(), words);
}

#[test]
fn f13_names_that_lead_elsewhere_are_refused() {
    for name in [
        "../evil",
        "photos/../../evil",
        "photos/roses/../../../evil",
        "/tmp/evil",
        "C:\\evil",
        "photos\\..\\evil",
        "C:evil",
    ] {
        let mut tar = begun();
        file(&mut tar, name, b"evil");
        refused(tar, "leads out of");
    }
    let mut tar = begun();
    add(&mut tar, EntryType::Directory, b"photos/../../evil/", "", b"");
    refused(tar, "leads out of");
    // A name of an extended header, which no length limits.
    let mut tar = begun();
    tar.append_pax_extensions([("path", &b"photos/../../evil"[..])]).unwrap();
    file(&mut tar, "photos/good", b"evil");
    refused(tar, "leads out of");
    let mut tar = begun();
    tar.append_pax_extensions([("path", &b"photos/roses/1.jpg\0.txt"[..])]).unwrap();
    file(&mut tar, "photos/good", b"evil");
    refused(tar, "leads out of");
    let mut tar = begun();
    add(&mut tar, EntryType::Regular, b"photos/\xff.jpg", "", b"x");
    refused(tar, "not UTF-8");
}

#[test]
fn f14_links_and_devices_are_refused() {
    for (kind, link, word) in [
        (EntryType::Symlink, "/etc", "Symlink"),
        (EntryType::Symlink, "roses", "Symlink"),
        (EntryType::Link, "/etc/passwd", "Link"),
        (EntryType::Link, "photos/roses/1.jpg", "Link"),
        (EntryType::Char, "", "Char"),
        (EntryType::Block, "", "Block"),
        (EntryType::Fifo, "", "Fifo"),
    ] {
        let mut tar = begun();
        add(&mut tar, kind, b"photos/daisy", link, b"");
        // What would go through the link.
        file(&mut tar, "photos/daisy/1.jpg", b"x");
        refused(tar, word);
    }
}

#[test]
fn f18_what_is_there_twice_is_refused() {
    for name in [
        "photos/roses/1.jpg",
        "photos/./roses//1.jpg",
        "photos/Roses/1.jpg",
        "photos/roses/1.JPG",
        "photos/ROSES/2.jpg",
        // "ü" in one letter and in two, and both in upper case.
        "photos/Blu\u{308}ten/1.jpg",
        "photos/BL\u{dc}TEN/1.jpg",
    ] {
        let mut tar = begun();
        file(&mut tar, "photos/Bl\u{fc}ten/1.jpg", b"one letter");
        file(&mut tar, name, b"other");
        refused(tar, "there twice");
    }
    // A file where a folder is, and the other way round.
    let mut tar = begun();
    file(&mut tar, "photos/roses", b"other");
    refused(tar, "there twice");
    let mut tar = begun();
    file(&mut tar, "photos/LICENSE.txt/1.jpg", b"other");
    refused(tar, "there twice");
}

#[test]
fn anything_but_one_folder_at_the_top_is_refused() {
    for name in ["stray.jpg", "other/roses/1.jpg", "photos"] {
        let mut tar = begun();
        file(&mut tar, name, b"x");
        refused(tar, "not in the one folder");
    }
    refused(Builder::new(Vec::new()), "no files");
}

#[test]
fn f15_limits_hold() {
    let limits = Limits { entries: 3, bytes: 11, ratio: 200, depth: 3 };
    Place::new(&packed(begun())).unpack(&limits).unwrap();
    Place::new(&packed(begun())).refused(&Limits { entries: 2, ..limits }, "more than 2 entries");
    Place::new(&packed(begun())).refused(&Limits { bytes: 10, ..limits }, "11 bytes; at most 10");
    Place::new(&packed(begun())).refused(&Limits { depth: 2, ..limits }, "more than 2 folders deep");
}

#[test]
fn f15_a_million_entries_are_not_unpacked() {
    // Folders that are all the same one, so that what is not refused would at least not fill the disk.
    let mut folder = Header::new_gnu();
    folder.set_path("photos/roses/").unwrap();
    folder.set_entry_type(EntryType::Directory);
    folder.set_mode(0o755);
    folder.set_size(0);
    folder.set_cksum();
    let mut tar = begun();
    for _ in 0..200_000 {
        tar.append(&folder, &b""[..]).unwrap();
    }
    refused(tar, "more than 200000 entries");
}

#[test]
fn f15_bombs_are_refused_before_they_go_off() {
    // 65 MiB of nothing, in a file, in what is ignored, and in the padding after the end.
    let much = vec![0; 65 << 20];
    let mut tar = begun();
    file(&mut tar, "photos/zero", &much);
    refused(tar, "at most 67108864 are unpacked");
    let mut tar = begun();
    file(&mut tar, "photos/._zero", &much);
    refused(tar, "at most 67108864 are unpacked");
    let mut tar = begun();
    add(&mut tar, EntryType::GNULongName, b"././@LongLink", "", &much);
    refused(tar, "more than its entries say");
    let mut bytes = begun().into_inner().unwrap();
    bytes.extend(much);
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&bytes).unwrap();
    Place::new(&gz.finish().unwrap()).refused(&Limits::default(), "more than its entries say");
}
