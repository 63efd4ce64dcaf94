//! F21 and F23: what a file system allows: links in circles, pipes, files that may not be read, names that look like something else.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use petal::data::{Dataset, Reason, Splits};
use petal::learner::Learner;
use petal::{Config, ErrorKind};

use crate::data::{picture, project, write_photos, write_picture};

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
const NASTY: [&str; 6] = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)",
    "EVCXR_BEGIN_CONTENT text\nhtml",
    "\u{1b}[31mred\u{7}",
    "\u{202e}gpj. \u{1F339} & Blüten",
    "a,\"b\";='c'",
];

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
