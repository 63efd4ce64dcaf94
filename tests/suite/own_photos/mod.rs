//! Folders that people bring: photos are only ever read, nothing is left out without a word, every usual layout is understood.

mod duplicates;
mod label_tables;
mod layouts;
mod outputs;
mod read_only;
mod redraw;
mod road;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use petal::files;

use crate::data::{picture, tree, write_picture};

/// The command in a folder, with one thread.
fn petal(folder: &Path, arguments: &[&str]) -> Output {
    let mut petal = Command::new(env!("CARGO_BIN_EXE_petal"));
    petal.current_dir(folder).args(arguments).env("RAYON_NUM_THREADS", "1").output().unwrap()
}

/// The same, which has to succeed; what it said on the standard output.
fn well(folder: &Path, arguments: &[&str]) -> String {
    let output = petal(folder, arguments);
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}{complaints}");
    said.into_owned()
}

/// The same, which has to fail; what it said on stderr.
fn refused(folder: &Path, arguments: &[&str], words: &[&str]) -> String {
    let output = petal(folder, arguments);
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}{complaints}", String::from_utf8_lossy(&output.stdout));
    for word in words.iter().chain(&["mend: "]) {
        assert!(complaints.contains(word), "{arguments:?}: no {word:?} in {complaints}");
    }
    complaints
}

/// Two classes of so many different photos, the first of them with this number.
fn photos(root: &Path, count: usize, first: u64) {
    for (index, class) in ["cat", "dog"].into_iter().enumerate() {
        for photo in 0..count {
            let number = first + (index * count + photo) as u64;
            write_picture(&root.join(class).join(format!("{photo:03}.jpg")), &picture(number));
        }
    }
}

/// The hashes of all photos below a folder, wherever they are.
fn contents(root: &Path) -> BTreeSet<String> {
    let is_photo = |(_, bytes): &(String, Vec<u8>)| bytes.starts_with(&[0xff, 0xd8, 0xff]);
    tree(root).iter().filter(|file| is_photo(file)).map(|(_, bytes)| files::sha256(bytes)).collect()
}
