//! A folder with one folder per class, and a look at every file in it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use petal::config::SplitConfig;
use petal::data::{Dataset, Reason, Splits};
use petal::learner::Learner;
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
    check(root, root, "1 class folders", "a folder of its own");
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
        "1 class folders",
        &format!("right above the class folders: {}", above.join("photos").display()),
    );
}

#[cfg(unix)]
#[test]
fn f23_circles_and_pipes_end_neither_the_listing_nor_the_look() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_photos(root, &[("roses", 3), ("tulips", 3)]);
    // A link in a circle, a link to nowhere, a pipe that no one writes to.
    symlink(root, root.join("roses/circle")).unwrap();
    symlink(root.join("nowhere"), root.join("roses/nowhere.jpg")).unwrap();
    assert!(Command::new("mkfifo").arg(root.join("roses/pipe.jpg")).status().unwrap().success());
    // A class that leads round to itself, and one that is elsewhere.
    symlink("circle", root.join("circle")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    write_picture(&elsewhere.path().join("more/1.jpg"), &picture(70));
    symlink(elsewhere.path(), root.join("linked")).unwrap();
    // Two ways to one folder: it is searched once.
    symlink(elsewhere.path().join("more"), elsewhere.path().join("again")).unwrap();
    let photos = Dataset::folder(root).unwrap();
    assert_eq!(photos.classes[..], ["linked", "roses", "tulips"]);
    let own: Vec<_> = photos.samples.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(own.len(), 7, "{own:?}");
    assert_eq!(own[0], "linked/again/1.jpg");
    assert_eq!(photos.verify().unwrap().bad, []);
    let why = |name: &str| photos.left_out.get(name).map(|one| one.reason);
    assert_eq!(why("roses/nowhere.jpg"), Some(Reason::BrokenLink));
    assert_eq!(why("roses/pipe.jpg"), Some(Reason::NotAFile));
    assert_eq!(why("circle"), Some(Reason::BrokenLink));
    assert_eq!((why("roses/circle"), why("linked/more")), (Some(Reason::SeenBefore), Some(Reason::SeenBefore)));
}

/// What the command says of a folder of photos to a person who may not read all of it.
#[cfg(unix)]
fn said_without_rights(folder: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let rights = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mut petal = Command::new(env!("CARGO_BIN_EXE_petal"));
    fs::write(folder.join("closed"), b"").unwrap();
    rights(&folder.join("closed"), 0o000);
    if fs::read(folder.join("closed")).is_ok() {
        // A superuser may read everything: the command runs as nobody, from where nobody may go.
        fs::copy(env!("CARGO_BIN_EXE_petal"), folder.join("petal")).unwrap();
        rights(folder, 0o777);
        petal = Command::new(folder.join("petal"));
        petal.uid(65_534).gid(65_534);
    }
    let output = petal.current_dir(folder).args(["split-dataset", "--photos", "photos"]).output();
    let Ok(output) = output else {
        // Straight to stderr, which the test harness does not hold back.
        let line = "skipped: folders without rights (no process of another user can be started)\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    };
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[cfg(unix)]
#[test]
fn f23_what_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("photos");
    write_photos(&root, &[("roses", 4), ("tulips", 4)]);
    let rights = |name: &str, mode| fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    rights("roses", 0o000);
    let said = said_without_rights(folder.path());
    rights("roses", 0o755);
    let Some(said) = said else { return };
    assert!(said.contains("cannot list this file or folder: Permission denied"), "{said}");
    assert!(said.contains("file: photos/roses"), "{said}");
    assert!(!folder.path().join("data").exists());

    rights("roses/001.jpg", 0o000);
    let said = said_without_rights(folder.path()).unwrap();
    assert!(said.contains("1 file or folder was left out") && said.contains("may not be read"), "{said}");
    let splits = Splits::open(&folder.path().join("data")).unwrap();
    assert_eq!(splits.made_with.left_out.keys().collect::<Vec<_>>(), ["roses/001.jpg"]);
    assert!(splits.made_with.left_out["roses/001.jpg"].why.contains("Permission denied"));
}

/// Names that a page, a terminal, the kernel or a table could take for something else.
#[cfg(unix)]
const NASTY: [&str; 6] = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)",
    "EVCXR_BEGIN_CONTENT text\nhtml",
    "\u{1b}[31mred\u{7}",
    "\u{202e}gpj. \u{1F339} & Blüten",
    "a,\"b\";='c'",
];

#[cfg(unix)]
#[test]
fn f21_names_are_shown_escaped_and_survive_the_split() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("photos");
    let mut number = 0;
    for class in NASTY {
        for photo in NASTY {
            number += 1;
            write_picture(&root.join(class).join(format!("{photo}.jpg")), &picture(number));
        }
        fs::write(root.join(class).join("cut <b>.jpg"), [0xff, 0xd8, 0xff]).unwrap();
        fs::write(root.join(class).join("notes <b>.txt"), b"x").unwrap();
    }
    let project = project(&folder.path().join("project \u{1F33B} ü"));
    let config = Config { image_size: 32, ..Config::demo() };
    let photos = Dataset::folder(&root).unwrap();
    let verified = photos.verify().unwrap();
    let splits = photos.split(&project, &config).unwrap();
    assert_eq!(splits.classes.len(), NASTY.len());
    let again = Splits::open(&project.data).unwrap();
    assert_eq!((again.train.samples, again.classes), (splits.train.samples.clone(), splits.classes.clone()));
    let error = photos.split(&project, &Config { seed: 9, ..config.clone() }).unwrap_err().at(&photos.samples[20].path);

    let batch = Learner::new(&project, &splits, &config).unwrap().show_batch(8).unwrap();
    let html = [photos.html(), verified.html(), splits.html(), batch.html()];
    let text = [photos.text(), verified.text(), splits.text(), batch.text(), error.to_string()];
    for shown in html.iter().chain(&text) {
        assert!(!shown.contains("EVCXR_BEGIN"), "{shown}");
        assert!(shown.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{shown:?}");
    }
    for shown in &html {
        assert!(!shown.contains("<img src=x") && !shown.contains("<script") && !shown.contains("<b>"), "{shown}");
    }
    assert!(html[0].contains("&lt;img src=x onerror=alert(1)&gt;") && html[1].contains("cut &lt;b&gt;.jpg"));
    assert_eq!(error.to_string().lines().count(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn f21_names_that_no_manifest_can_hold_are_refused_and_the_command_shows_them() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    for (class, photo, what) in [
        (name(b"bad\xff"), name(b"1.jpg"), "not UTF-8"),
        (name(b"tulips"), name(b"\xff.jpg"), "not UTF-8"),
        (name(b"x\\..\\evil"), name(b"1.jpg"), "backslash"),
        (name(b"tulips"), name(b"a\\1.jpg"), "backslash"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_photos(folder.path(), &[("roses", 3)]);
        let path = folder.path().join(class).join(photo);
        write_picture(&path, &picture(9));
        let error = Dataset::folder(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Dataset);
        assert!(error.what().contains(what) && path.starts_with(error.path().unwrap()), "{error}");
        assert_eq!(error.how_to_mend(), Some("rename it"));
    }

    let folder = tempfile::tempdir().unwrap();
    write_picture(&folder.path().join("odd").join(name(b"\xff\x1b[2J.jpg")), &picture(9));
    fs::write(folder.path().join("odd").join(name(b"\xfe.txt")), b"x").unwrap();
    let embed = ["embed", "--backbone", "efficientnet-lite0", "--weights", "embedded", "odd", "--out", "f.safetensors"];
    let mut petal = Command::new(env!("CARGO_BIN_EXE_petal"));
    let output = petal.current_dir(folder.path()).args(embed).arg("--json").output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["files"], serde_json::json!(["\u{fffd}\u{1b}[2J.jpg"]));
    assert_eq!(object["unreadable"][0]["path"], "odd/\u{fffd}.txt");
    assert!(!String::from_utf8_lossy(&output.stderr).contains('\u{1b}'));
    assert!(folder.path().join("f.safetensors").exists());
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
