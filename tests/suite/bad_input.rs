//! Bad input to the command: what happened, which file, the mend, exit status 1; and every file is as it was.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::photos;

fn petal(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_petal")).current_dir(folder).args(arguments).output().unwrap()
}

/// All files below a folder and their content.
fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

fn archive(path: &Path, names: &[&str]) {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for name in names {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(4);
        header.set_cksum();
        tar.append(&header, &b"evil"[..]).unwrap();
    }
    fs::write(path, tar.into_inner().unwrap().finish().unwrap()).unwrap();
}

#[test]
fn bad_input_names_the_file_and_the_mend_and_nothing_is_written_or_lost() {
    let parent = tempfile::tempdir().unwrap();
    // One folder down, so that what gets out of it is seen.
    let folder = &parent.path().join("project");
    let photo = |name: &str| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(photos().join("rgb.jpg"), path).unwrap();
    };
    photo("one/roses/1.jpg");
    photo("empty/roses/1.jpg");
    fs::create_dir_all(folder.join("empty/tulips")).unwrap();
    photo("few/roses/1.jpg");
    photo("few/tulips/1.jpg");
    photo("loose.jpg");
    archive(&folder.join("out.tgz"), &["photos/roses/1.jpg", "photos/../../evil.jpg"]);
    archive(&folder.join("absolute.tgz"), &["photos/roses/1.jpg", "/tmp/petal-evil.jpg"]);
    archive(&folder.join("whole.tgz"), &["photos/roses/1.jpg", "photos/tulips/1.jpg"]);
    let whole = fs::read(folder.join("whole.tgz")).unwrap();
    fs::write(folder.join("cut.tgz"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.join("page.tgz"), "<html>").unwrap();
    fs::write(folder.join("unknown.toml"), "batchsize = 3\n").unwrap();
    fs::write(folder.join("range.toml"), "batch_size = 0\n").unwrap();
    fs::File::create(folder.join("wrong.safetensors")).unwrap().write_all(b"\x08\0\0\0\0\0\0\0{}      ").unwrap();
    fs::write(folder.join("model.pth"), "PK").unwrap();

    let embed = |weights| ["embed", "--backbone", "resnet18", "--weights", weights, "one", "--out", "f"].to_vec();
    let cases: [(Vec<&str>, &[&str]); 17] = [
        (["split-dataset", "--photos", "nowhere"].to_vec(), &["no such folder", "nowhere", "mend:"]),
        (
            ["split-dataset", "--photos", "loose.jpg"].to_vec(),
            &["this is a file; expected a folder", "loose.jpg", "mend:"],
        ),
        (["split-dataset", "--photos", "one"].to_vec(), &["1 class folder;", "one", "mend:"]),
        (["split-dataset", "--photos", "empty"].to_vec(), &["\"tulips\" has no photos", "empty/tulips", "mend:"]),
        (["split-dataset", "--photos", "few"].to_vec(), &["\"roses\" has 1", "few", "mend:"]),
        (["split-dataset"].to_vec(), &["no photos yet", "data/raw", "download-dataset"]),
        (["download-dataset", "--archive", "no.tgz"].to_vec(), &["cannot read", "no.tgz"]),
        (
            ["download-dataset", "--archive", "out.tgz"].to_vec(),
            &["leads out", "photos/../../evil.jpg", "out.tgz", "mend:"],
        ),
        (["download-dataset", "--archive", "absolute.tgz"].to_vec(), &["leads out", "absolute.tgz", "mend:"]),
        (["download-dataset", "--archive", "cut.tgz"].to_vec(), &["cut short", "cut.tgz", "mend:"]),
        (["download-dataset", "--archive", "page.tgz"].to_vec(), &["damaged", "page.tgz", "mend:"]),
        (["train", "--config", "unknown.toml"].to_vec(), &["line 1: unknown field `batchsize`", "unknown.toml"]),
        (["train", "--config", "range.toml"].to_vec(), &["batch_size is 0", "range.toml"]),
        (embed("model.pth"), &["model.pth", "mend:"]),
        (embed("wrong.safetensors"), &["wrong.safetensors"]),
        (["predict", "--model", "wrong.safetensors", "one"].to_vec(), &["wrong.safetensors", "mend:"]),
        (["evaluate", "--model", "no.safetensors"].to_vec(), &["no.safetensors"]),
    ];
    let before = tree(parent.path());
    for (arguments, words) in cases {
        let output = petal(folder, &arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(text.lines().count() <= 3, "{arguments:?}: {text}");
        for word in words {
            assert!(text.contains(word), "{arguments:?}: no {word:?} in {text}");
        }
        assert!(tree(parent.path()) == before, "{arguments:?} left something");
    }
    assert!(!Path::new("/tmp/petal-evil.jpg").exists());
}
