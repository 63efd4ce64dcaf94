//! A folder with one folder per class, and a look at every file in it.

use std::fs;
use std::path::Path;

use petal::ErrorKind;
use petal::data::Dataset;

use super::{listed, write_photos};
use crate::support::photos;

fn touch(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"x").unwrap();
}

#[test]
fn classes_and_photos_are_sorted_and_the_rest_is_left_aside_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Made in an order that is not the alphabet's.
    for name in [
        "tulips/b.jpg",
        "Zinnien/1.png",
        "gelbe Rosen/Ü ö.JPEG",
        "gelbe Rosen/1.JPG",
        "\u{1F33B}/\u{1F41D}.PNG",
        "tulips/a.jpeg",
        "äpfel/1.jpg",
    ] {
        touch(&at(name));
    }
    let aside = [
        (".DS_Store", "not a class folder"),
        (".ipynb_checkpoints/1.jpg", "not a class folder"),
        ("LICENSE.txt", "not a class folder"),
        ("__MACOSX/1.jpg", "not a class folder"),
        ("loose.jpg", "not a class folder"),
        ("tulips/.hidden.jpg", "hidden"),
        ("tulips/Thumbs.db", "not .jpg, .jpeg or .png"),
        ("tulips/more/1.jpg", "a folder in a class folder"),
        ("tulips/noending", "not .jpg, .jpeg or .png"),
        ("tulips/x.gif", "not .jpg, .jpeg or .png"),
    ];
    aside.iter().for_each(|(name, _)| touch(&at(name)));

    let photos = Dataset::folder(folder.path()).unwrap();
    assert_eq!(photos.classes[..], ["Zinnien", "gelbe Rosen", "tulips", "äpfel", "\u{1F33B}"]);
    let expected = [
        "Zinnien/1.png",
        "gelbe Rosen/1.JPG",
        "gelbe Rosen/Ü ö.JPEG",
        "tulips/a.jpeg",
        "tulips/b.jpg",
        "äpfel/1.jpg",
        "\u{1F33B}/\u{1F41D}.PNG",
    ];
    assert_eq!(listed(&photos), expected);
    assert_eq!(photos.samples.iter().map(|s| s.target).collect::<Vec<_>>(), [0, 1, 1, 2, 2, 3, 4]);
    assert_eq!(photos.counts()["gelbe Rosen"], 2);

    let ignored: Vec<_> =
        photos.ignored.iter().map(|(path, why)| (path.strip_prefix(folder.path()).unwrap(), why.as_str())).collect();
    for (name, why) in aside {
        // Of a folder that is no class, the folder itself.
        let name = match name {
            ".ipynb_checkpoints/1.jpg" => ".ipynb_checkpoints",
            "__MACOSX/1.jpg" => "__MACOSX",
            "tulips/more/1.jpg" => "tulips/more",
            name => name,
        };
        assert!(ignored.contains(&(Path::new(name), why)), "{name}: {ignored:?}");
    }
    assert_eq!(ignored.len(), aside.len());
}

#[test]
fn folders_that_do_not_fit_say_which_and_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let failure = |path: &Path| Dataset::folder(path).unwrap_err();
    let check = |path: &Path, named: &Path, what: &str, mend: &str| {
        let error = failure(path);
        assert_eq!(error.kind(), ErrorKind::Dataset);
        assert_eq!(error.path(), Some(named));
        assert!(error.what().contains(what), "{error}");
        assert!(error.how_to_mend().unwrap().contains(mend), "{error}");
    };
    check(&root.join("no"), &root.join("no"), "no such folder", "one folder of photos per class");
    check(root, root, "0 class folders", "a folder of its own");
    touch(&root.join("roses/1.jpg"));
    check(root, root, "1 class folders", "a folder of its own");
    check(&root.join("roses/1.jpg"), &root.join("roses/1.jpg"), "no such folder", "");
    fs::create_dir(root.join("tulips")).unwrap();
    check(root, &root.join("tulips"), "\"tulips\" has no photos", "add photos");
    touch(&root.join("tulips/1.txt"));
    check(root, &root.join("tulips"), "\"tulips\" has no photos", "add photos");
    // The folder above the right one.
    fs::create_dir_all(root.join("above/photos/roses")).unwrap();
    check(&root.join("above"), &root.join("above/photos"), "no photos", "right above the class folders");
}

#[cfg(unix)]
#[test]
fn odd_files_end_neither_the_listing_nor_the_look() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_photos(root, &[("roses", 3), ("tulips", 3)]);
    // A link in a circle, a link to nowhere, a pipe that no one writes to.
    symlink(root, root.join("roses/circle")).unwrap();
    symlink(root.join("nowhere"), root.join("roses/nowhere.jpg")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(root.join("roses/pipe.jpg")).status().unwrap().success());
    let photos = Dataset::folder(root).unwrap();
    assert_eq!(photos.samples.len(), 8);
    let looked = photos.verify().unwrap();
    assert_eq!(looked.good.len(), 6);
    let bad: Vec<_> = looked.bad.iter().map(|(path, why)| (path.file_name().unwrap(), why.as_str())).collect();
    assert!(bad[0].0 == "nowhere.jpg" && bad[0].1.contains("cannot read"), "{bad:?}");
    assert!(bad[1].0 == "pipe.jpg" && bad[1].1.contains("not a file"), "{bad:?}");

    fs::create_dir(root.join(std::ffi::OsStr::from_bytes(b"bad\xff"))).unwrap();
    assert!(Dataset::folder(root).unwrap_err().what().contains("not UTF-8"));
}

#[test]
fn every_file_is_decoded_and_the_bad_ones_have_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let copy = |from: &str, to: &str| {
        fs::create_dir_all(root.join(to).parent().unwrap()).unwrap();
        fs::copy(photos().join(from), root.join(to)).unwrap();
    };
    let jpeg = fs::read(photos().join("rgb.jpg")).unwrap();
    for name in ["rgb.jpg", "cmyk.jpg", "grey.png", "deep.png", "turned_6.jpg", "progressive.jpg", "one.jpg"] {
        copy(name, &format!("a/{name}"));
    }
    copy("rgb.png", "a/png.jpg");
    copy("rgb.jpg", "b/1.jpg");
    fs::write(root.join("b/garbage after.jpg"), [&jpeg[..], b"garbage"].concat()).unwrap();
    fs::write(root.join("b/2 cut.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
    fs::write(root.join("b/3 text.jpg"), "a text").unwrap();
    fs::write(root.join("b/4 empty.jpg"), "").unwrap();
    let mut broken = jpeg.clone();
    // The tables of the code are gone.
    let at = broken.windows(2).position(|pair| pair == [0xff, 0xc4]).unwrap();
    broken[at + 4..at + 24].fill(0xaa);
    fs::write(root.join("b/5 broken.jpg"), broken).unwrap();

    let looked = Dataset::folder(root).unwrap().verify().unwrap();
    assert_eq!(looked.good.len(), 10);
    let bad: Vec<_> = looked
        .bad
        .iter()
        .map(|(path, why)| format!("{}: {why}", path.file_name().unwrap().to_str().unwrap()))
        .collect();
    assert_eq!(bad.len(), 4);
    for (line, start) in bad.iter().zip([
        "2 cut.jpg: the JPEG is cut short",
        "3 text.jpg: this is text",
        "4 empty.jpg: this is an empty file",
        "5 broken.jpg: the JPEG is damaged",
    ]) {
        assert!(line.starts_with(start), "{line}");
    }
    let turned = looked.good.iter().find(|photo| photo.sample.path.ends_with("turned_6.jpg")).unwrap();
    assert_eq!(turned.size, (19, 25));
    let plain = looked.good.iter().find(|photo| photo.sample.path.ends_with("a/rgb.jpg")).unwrap();
    assert_eq!((plain.size, plain.bytes, &plain.sha256), ((25, 19), jpeg.len() as u64, &petal::files::sha256(&jpeg)));
}
