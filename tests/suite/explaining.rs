//! Photos explained on a page, and whether heat maps can be trusted.

use std::fs;
use std::path::{Path, PathBuf};

use petal::explain::{self, AttentionRelevance, CamCheck, EigenCam, GradCam, Method, Verdict, methods};
use petal::prelude::*;
use serde_json::Value;

use crate::faults::petal;
use crate::support::{flowers, small_for};

/// A learner whose head has seen drawn flowers, and its folder.
fn learner(folder: &Path) -> Learner {
    let config = small_for(4, 0, 0);
    let (project, splits) = flowers(folder, &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    learner.fit_head().unwrap();
    learner
}

/// Photos of the test part, copied under these names into `photos/roses`.
fn photos(folder: &Path, learner: &Learner, names: &[&str]) -> PathBuf {
    let photos = folder.join("photos");
    fs::create_dir_all(photos.join("roses")).unwrap();
    let samples = learner.loader(Split::Train).subset().samples.clone();
    for (name, sample) in names.iter().zip(samples.iter().cycle()) {
        fs::copy(&sample.path, photos.join("roses").join(name)).unwrap();
    }
    photos
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[cfg(unix)]
#[test]
fn f95_names_of_any_kind_are_themselves_on_a_page_of_explained_photos() {
    const NAMES: [&str; 6] = [
        "\"><img src=x onerror=alert(1)>.jpg",
        "a\n<script>alert(1)<script>.jpg",
        "{body}{title} ' onload='x.jpg",
        "EVCXR_BEGIN_CONTENT.jpg",
        "\u{202e}gpj.exe.jpg",
        "--><style>*{display:none}.jpg",
    ];
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(folder.path());
    let photos = photos(folder.path(), &learner, &NAMES);
    fs::write(photos.join("<i>broken.jpg"), [0xff, 0xd8, 0xff, 0xe0]).unwrap();
    let page = folder.path().join("page.html");
    let made = learner.explain(&GradCam, &[&photos], &page).unwrap();
    assert_eq!((made.photos, made.known_and_wrong.0), ([6, 0, 1], 6));
    let html = text(&page);
    assert_eq!((html.matches("<article").count(), html.matches("<img ").count()), (6, 12));
    assert_eq!(html.matches("src=\"data:image/jpeg;base64,").count(), 12, "nothing is loaded from elsewhere");
    for foreign in ["<script", "<img src=x", "<style>*", "<i>", "EVCXR_", "\u{202e}", "src=\"http", "<link", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    // A name that would end an attribute is in it whole.
    for shown in [
        "&lt;img src=x onerror=alert(1)&gt;.jpg",
        "{body}{title} &#39; onload=&#39;x.jpg",
        "a\\n&lt;script&gt;",
        "\\u{202e}gpj",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    // For eyes, ears and keys: every picture is told, every part has a heading and a link that leads to it.
    assert_eq!(html.matches(" alt=\"").count(), 12);
    assert!(
        !html.contains("alt=\"\"") && html.contains("lang=\"en\"") && html.contains("class=\"skip\" href=\"#photos\"")
    );
    let links = html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    for id in links {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("default-src 'none'"), "{html}");
}

#[test]
fn f96_a_page_names_what_could_not_be_read_and_takes_no_other_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(folder.path());
    let photos = photos(folder.path(), &learner, &["1.jpg", "2.jpg", "3.jpg"]);
    fs::write(photos.join("notes.jpg"), "no photo").unwrap();
    fs::create_dir(photos.join(".hidden")).unwrap();
    let [page, mine, photo] = ["page.html", "mine.html", "photos/roses/1.jpg"].map(|name| folder.path().join(name));
    fs::write(&mine, "<!doctype html><title>Mine</title>").unwrap();
    let before = fs::read(&photo).unwrap();
    for other in [&mine, &photo] {
        let error = learner.explain(&GradCam, &[&photos], other).unwrap_err();
        assert!(error.what().contains("is not a page of explained photos"), "{error}");
    }
    assert_eq!((text(&mine).len(), fs::read(&photo).unwrap()), (34, before));
    for _ in 0..2 {
        learner.explain(&GradCam, &[&photos], &page).unwrap();
    }
    let html = text(&page);
    for words in [
        "asked about 4 photos",
        "Could not be read: 1 file",
        "notes.jpg",
        "this is text, not a picture",
        "because hidden: 1 files",
    ] {
        assert!(html.contains(words), "{words}");
    }
    // Photos alone, in no class's folder: nothing is said of right and wrong.
    fs::create_dir(folder.path().join("some")).unwrap();
    let alone = folder.path().join("some/1.jpg");
    fs::copy(&photo, &alone).unwrap();
    let made = learner.explain(&EigenCam, &[&alone], &page).unwrap();
    assert_eq!((made.photos, made.known_and_wrong), ([1, 0, 0], (0, 0)));
    let html = text(&page);
    assert!(
        !html.contains("named after a class") && !html.contains("Wrong") && html.contains("whatever the class"),
        "{html}"
    );
    // No photo at all is a page, too.
    let made = learner.explain(&GradCam, &[photos.join("notes.jpg")], &page).unwrap();
    assert_eq!(made.photos, [0, 0, 1]);

    let run = learner.run().folder.display().to_string();
    let command = |arguments: &[&str]| {
        petal(folder.path(), &[&["explain", "--model", &run, "photos"], arguments].concat()).output().unwrap()
    };
    let told = command(&["--page", "page.html", "--check=2", "--out", "cams", "--json"]);
    assert_eq!(told.status.code(), Some(1), "one file could not be read");
    let json: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (&json["page"]["pictured"], &json["check"]["photos"], &json["check"]["too_few"]),
        (&3.into(), &2.into(), &true.into())
    );
    assert_eq!((json["explained"].as_array().unwrap().len(), json["unreadable"].as_array().unwrap().len()), (3, 1));
    assert!(text(&page).contains("Can the maps be trusted?") && folder.path().join("cams/check_gradcam.png").exists());
    assert_eq!(command(&[]).status.code(), Some(2), "nothing was asked for");
    let refused = command(&["--page", "mine.html"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a page of explained photos"));
}

/// Eigen-CAM asks nothing of the head: that is what the check has to find. Grad-CAM does, and so its maps are others.
#[test]
fn f89_a_map_that_does_not_hang_on_what_was_learned_is_found_and_few_photos_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(folder.path());
    let predictions = learner.evaluate(Split::Train).unwrap().predictions;
    let check = |method: &dyn Method, photos| learner.check_cam(method, &predictions, photos).unwrap();
    let eigen = check(&EigenCam, 8);
    assert_eq!((eigen.photos, eigen.of), (8, predictions.len()));
    assert_eq!((eigen.randomized[0].verdict(), eigen.randomized[0].correlation.value), (Verdict::Bad, 1.0));
    assert!((eigen.randomized[0].ssim - 1.0).abs() < 1e-9, "{:?}", eigen.randomized);
    assert!(eigen.verdict().contains("what stands out"), "{}", eigen.verdict());
    let grad = check(&GradCam, 8);
    for one in &grad.randomized {
        assert!(one.correlation.value < 0.9 && one.correlation.low <= one.correlation.value, "{one:?}");
    }
    // What goes and comes begins and ends the same, whatever the order.
    for removal in [&grad.deletion, &grad.insertion] {
        for end in [0, explain::removal::STEPS] {
            assert!((removal.by_map[end] - removal.by_chance[end]).abs() < 1e-6, "{removal:?}");
        }
    }
    assert!((grad.deletion.by_map[0] - grad.insertion.by_map[explain::removal::STEPS]).abs() < 1e-6);
    // The same with one thread.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let numbers = |check: &CamCheck| format!("{:?}", (&check.randomized, &check.deletion, &check.insertion));
    assert_eq!(one.install(|| numbers(&check(&GradCam, 8))), numbers(&grad));

    let few = check(&GradCam, 3);
    assert!(few.is_small() && few.text().contains("too few photos to tell: 3 of at least 8"), "{}", few.text());
    // A photo that is gone is named; of none, there is nothing to check.
    let mut gone = predictions[..2].to_vec();
    gone[0].path = folder.path().join("gone.jpg");
    let some = learner.check_cam(&GradCam, &gone, 8).unwrap();
    assert_eq!((some.photos, some.unreadable.len()), (1, 1));
    assert!(some.text().contains("gone.jpg"), "{}", some.text());
    assert_eq!(learner.check_cam(&GradCam, &gone[..1], 8).unwrap_err().kind(), ErrorKind::Image);
    assert_eq!(learner.check_cam(&GradCam, &[], 8).unwrap_err().kind(), ErrorKind::Image);
    // Every method can be asked, and gives a map of another photo another heat.
    for method in methods::ALL {
        let drawn = learner.cam(method, &predictions[..2]);
        // Convolutions have no attention.
        assert_eq!(drawn.is_err(), method.name() == AttentionRelevance.name(), "{}", method.name());
    }
}
