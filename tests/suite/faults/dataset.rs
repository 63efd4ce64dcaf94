//! F19, F20, F25 and F26: a folder with one folder per class, a look at every file in it, and its split.

use std::fs;
use std::path::Path;

use petal::config::SplitConfig;
use petal::data::{Dataset, Reason};
use petal::{Config, ErrorKind};

use crate::data::{listed, picture, project, write_photos, write_picture};
use crate::support::photos;

fn touch(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, b"x").unwrap();
}

#[test]
fn f20_what_is_no_photo_and_no_class_is_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Made in an order that is not the alphabet's. What a photo is, its content says: one has no ending, one a wrong one.
    let expected = [
        "Zinnien/1.png",
        "gelbe Rosen/1.JPG",
        "gelbe Rosen/Ü ö.JPEG",
        "tulips/a.jpeg",
        "tulips/b.txt",
        "tulips/more/and more/1.jpg",
        "tulips/noending",
        "äpfel/1.jpg",
        "\u{1F33B}/\u{1F41D}.PNG",
    ];
    for (number, name) in expected.iter().enumerate().rev() {
        write_picture(&at(name), &picture(number as u64));
    }
    for name in [".ipynb_checkpoints/1.jpg", "__MACOSX/1.jpg", "@eaDir/1.jpg", "loose.jpg", "tulips/.hidden.jpg"] {
        write_picture(&at(name), &picture(50));
    }
    for name in [".DS_Store", "LICENSE.txt", "tulips/Thumbs.db", "tulips/notes.jpg"] {
        fs::write(at(name), b"a text").unwrap();
    }
    fs::write(at("tulips/x.heic"), b"\0\0\0\x20ftypheic").unwrap();
    fs::write(at("tulips/empty.jpg"), b"").unwrap();
    let photos = Dataset::folder(folder.path()).unwrap();
    assert_eq!(photos.classes[..], ["Zinnien", "gelbe Rosen", "tulips", "äpfel", "\u{1F33B}"]);
    assert_eq!(listed(&photos), expected);
    assert_eq!(photos.samples.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), expected);
    assert_eq!(photos.samples.iter().map(|s| s.target).collect::<Vec<_>>(), [0, 1, 1, 2, 2, 2, 2, 3, 4]);
    assert_eq!(photos.counts()["gelbe Rosen"], 2);

    let left_out: Vec<_> = photos.left_out.iter().map(|(name, one)| (name.as_str(), one.reason)).collect();
    let aside = [
        (".DS_Store", Reason::Hidden),
        (".ipynb_checkpoints", Reason::Hidden),
        ("@eaDir", Reason::Hidden),
        ("LICENSE.txt", Reason::NotAPicture),
        ("__MACOSX", Reason::Hidden),
        ("loose.jpg", Reason::NoClass),
        ("tulips/.hidden.jpg", Reason::Hidden),
        ("tulips/Thumbs.db", Reason::Hidden),
        ("tulips/empty.jpg", Reason::Empty),
        ("tulips/notes.jpg", Reason::NotAPicture),
        ("tulips/x.heic", Reason::OtherFormat),
    ];
    assert_eq!(left_out, aside);
    let said = photos.text();
    for words in ["11 files and folders were left out", "not a picture", "HEIC", "loose.jpg", "tulips/empty.jpg"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn f19_folders_that_do_not_fit_say_which_and_how_to_mend_it() {
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
    write_picture(&root.join("roses/1.jpg"), &picture(1));
    check(root, root, "1 class folder;", "a folder of its own");
    check(&root.join("roses/1.jpg"), &root.join("roses/1.jpg"), "this is a file; expected a folder", "folder");
    fs::create_dir(root.join("tulips")).unwrap();
    check(root, &root.join("tulips"), "\"tulips\" has no photos", "add photos");
    touch(&root.join("tulips/1.jpg"));
    fs::write(root.join("tulips/2.jpg"), b"\0\0\0\x20ftypheic").unwrap();
    check(root, &root.join("tulips"), "has no photos, but 1 × a HEIC", "add photos");
    // The folder above the right one.
    for (number, class) in ["roses", "tulips", "zinnias"].iter().enumerate() {
        write_picture(&root.join("above/photos").join(class).join("1.jpg"), &picture(number as u64));
    }
    let above = root.join("above");
    check(
        &above,
        &above,
        "1 class folder;",
        &format!("right above the class folders: {}", above.join("photos").display()),
    );
}

#[test]
fn f25_wrong_fractions_and_another_seed_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    write_photos(&folder.path().join("photos"), &[("roses", 4), ("tulips", 4)]);
    let (project, photos) =
        (project(&folder.path().join("project")), Dataset::folder(folder.path().join("photos")).unwrap());
    for (train, val, test, words) in [
        (0.9, 0.1, 0.1, "split.train + split.val + split.test is 1.1; expected 1"),
        (-0.1, 0.5, 0.6, "split.train is -0.1; expected a number from 0.01 to 0.98"),
        (f64::NAN, 0.1, 0.1, "split.train is NaN"),
        (0.8, f64::INFINITY, 0.1, "split.val is inf"),
        (0.8, 0.2, 0.0, "split.test is 0"),
    ] {
        let config = Config { split: SplitConfig { train, val, test, ..SplitConfig::default() }, ..Config::seed() };
        for result in [photos.split(&project, &config), photos.resplit(&project, &config)] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.what().contains(words), "{error}");
        }
        assert!(!project.data.exists());
    }
    photos.split(&project, &Config::seed()).unwrap();
    let error = photos.split(&project, &Config { seed: 43, ..Config::seed() }).unwrap_err();
    assert!(error.what().contains("seed 42; asked for is 43") && error.to_string().contains("--replace"), "{error}");

    // Other photos are not "added, removed or changed".
    write_photos(&folder.path().join("others"), &[("cats", 4), ("dogs", 4)]);
    let others = Dataset::folder(folder.path().join("others")).unwrap();
    let error = others.split(&project, &Config::seed()).unwrap_err();
    assert!(error.what().contains("made of other photos") && error.to_string().contains("--data"), "{error}");
    photos.split(&project, &Config::seed()).unwrap();
}

#[test]
fn f26_every_file_is_decoded_and_the_bad_ones_have_their_reason() {
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

    let photos = Dataset::folder(root).unwrap();
    let left_out: Vec<_> = photos.left_out.iter().map(|(name, one)| (name.as_str(), one.reason)).collect();
    assert_eq!(left_out, [("b/3 text.jpg", Reason::NotAPicture), ("b/4 empty.jpg", Reason::Empty)]);
    let looked = photos.verify().unwrap();
    assert_eq!(looked.good.len(), 10);
    let bad: Vec<_> = looked
        .bad
        .iter()
        .map(|(path, why)| format!("{}: {}", path.file_name().unwrap().to_str().unwrap(), why.why))
        .collect();
    assert_eq!(bad.len(), 2);
    for (line, start) in bad.iter().zip(["2 cut.jpg: the JPEG is cut short", "5 broken.jpg: the JPEG is damaged"]) {
        assert!(line.starts_with(start), "{line}");
    }
    let turned = looked.good.iter().find(|photo| photo.sample.path.ends_with("turned_6.jpg")).unwrap();
    assert_eq!(turned.size, (19, 25));
    let plain = looked.good.iter().find(|photo| photo.sample.path.ends_with("a/rgb.jpg")).unwrap();
    assert_eq!((plain.size, plain.bytes, &plain.sha256), ((25, 19), jpeg.len() as u64, &petal::files::sha256(&jpeg)));
}
