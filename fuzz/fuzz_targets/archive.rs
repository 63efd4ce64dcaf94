#![no_main]
//! Any archive is unpacked inside its folder and within the limits, or refused. The first byte says whether the rest is packed as it
//! is or is a tar to be packed: gzip's checksum would hide the inside from the fuzzer.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use petal::ErrorKind;
use petal::data::archive::{Limits, unpack};

/// Files below a folder and their bytes. Nothing but files and folders may be there.
fn count(folder: &Path) -> (usize, u64) {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        assert!(kind.is_file() || kind.is_dir(), "{entry:?}");
        let (more, size) = if kind.is_dir() { count(&entry.path()) } else { (1, entry.metadata().unwrap().len()) };
        (files, bytes) = (files + more, bytes + size);
    }
    (files, bytes)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let packed = if first % 8 == 0 {
        rest.to_vec()
    } else {
        let mut gz = GzEncoder::new(Vec::new(), Compression::none());
        gz.write_all(rest).unwrap();
        gz.finish().unwrap()
    };
    let limits = Limits { entries: 50, bytes: 1 << 20, ratio: 200, depth: 5 };
    let place = tempfile::tempdir().unwrap();
    let (archive, inside) = (place.path().join("a.tgz"), place.path().join("in"));
    fs::write(&archive, packed).unwrap();
    fs::create_dir(&inside).unwrap();
    let result = unpack(&archive, &inside, &limits);
    let (files, bytes) = count(&inside);
    assert!(files <= limits.entries && bytes <= limits.bytes);
    match result {
        Ok(unpacked) => assert_eq!(unpacked.files, files),
        // A name can be too long for the disk.
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Archive | ErrorKind::Io), "{error}"),
    }
    // Nothing beside the folder, and the archive as it was.
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
});
