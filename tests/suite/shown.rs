//! What a cell shows while it runs, and Jupyter's Stop, as a kernel that speaks petal's protocol sees them: each test calls itself in a process of
//! its own, whose output is read as that kernel reads it.

use std::path::Path;
use std::process::Output;

use petal::data::{Dataset, Split};
use petal::learner::Learner;
use petal::train::{Ended, SweepEnd};
use petal::{Error, ErrorKind, Project, Result, files};
use serde_json::Value;

use crate::support::{again, flowers, small};

/// Names the folder that the process of its own works in.
const CHILD: &str = "PETAL_TEST_SHOWN";

/// This test again, under a kernel; the folder is the child's, with `stop` in it for the file that asks to stop.
fn under_a_kernel(test: &str, folder: &Path) -> Output {
    let output =
        again(test, CHILD, folder).env("PETAL_KERNEL", "1").env("PETAL_STOP", folder.join("stop")).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Kind and content of each message in an output, in order.
fn messages(output: &[u8]) -> Vec<(String, Value)> {
    let text = String::from_utf8(output.to_vec()).unwrap();
    let framed =
        text.split("\x1b_petal:").skip(1).map(|rest| rest.split_once("\x1b\\").expect("each message has an end").0);
    let parsed = framed.map(|message| serde_json::from_str::<Value>(message).unwrap());
    parsed.map(|message| (message["msg_type"].as_str().unwrap().to_string(), message["content"].clone())).collect()
}

#[test]
fn f76_a_training_is_one_display_that_grows_and_stays() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let config = small();
        let (project, splits) = flowers(Path::new(&folder), &config);
        let fitted = Learner::new(&project, &splits, &config).unwrap().fit_head().unwrap();
        assert!(fitted.is_shown);
        fitted.evcxr_display();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = under_a_kernel("shown::f76_a_training_is_one_display_that_grows_and_stays", folder.path());
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let messages = messages(&output.stdout);
    let (first, updates) = messages.split_first().unwrap();
    assert_eq!(first.0, "display_data");
    let id = &first.1["transient"]["display_id"];
    assert!(id.as_str().is_some_and(|id| !id.is_empty()));
    // The beginning, each of the three epochs, the end; more where steps took long.
    assert!(updates.len() >= 5, "{} updates", updates.len());
    for (kind, content) in updates {
        assert_eq!((kind.as_str(), &content["transient"]["display_id"]), ("update_display_data", id));
        let html = content["data"]["text/html"].as_str().unwrap();
        assert!(!html.contains("<script"), "every program shows it alike: {html}");
    }
    let shown = |message: &(String, Value)| message.1["data"]["text/html"].as_str().unwrap().to_string();
    let rows = |message: &(String, Value)| shown(message).matches("<tr").count();
    assert!(updates.windows(2).all(|pair| rows(&pair[0]) <= rows(&pair[1])), "the table grows");
    let last = updates.last().unwrap();
    assert!(shown(last).contains("finished: all 3 epochs done") && shown(last).contains("<img"), "{last:?}");
    assert_eq!(rows(last), 4, "a head and three epochs");
    assert!(last.1["data"]["text/plain"].as_str().unwrap().contains("finished"));
    // No lines beside it; what the cell ends with does not show the curves again.
    assert!(!text.contains("epoch   train loss"), "{text}");
    let end = text.rsplit_once("\x1b\\").unwrap().1;
    assert!(end.contains("the best is epoch") && !end.contains("<img"), "{end}");
}

#[test]
fn f76_stop_ends_a_training_after_its_step_and_the_next_call_goes_on_to_the_same_bytes() {
    let config = small();
    if let Some(folder) = std::env::var_os(CHILD) {
        let folder = Path::new(&folder);
        let (project, splits) = flowers(folder, &config);
        let mut learner = Learner::new(&project, &splits, &config).unwrap();
        std::fs::write(folder.join("stop"), "").unwrap();
        assert_eq!(learner.fit_head().unwrap().ended, Ended::Stopped);
        assert!(learner.run().last().exists() && learner.history().unwrap().epochs.is_empty(), "after its first step");
        // The kernel takes the request back before the next cell.
        std::fs::remove_file(folder.join("stop")).unwrap();
        assert!(matches!(learner.fit_head().unwrap().ended, Ended::Finished(_)), "the same learner goes on");
        std::fs::copy(learner.run().best(), folder.join("best")).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = under_a_kernel(
        "shown::f76_stop_ends_a_training_after_its_step_and_the_next_call_goes_on_to_the_same_bytes",
        folder.path(),
    );
    let shown = |message: &(String, Value)| {
        message.1["data"]["text/plain"].as_str().is_some_and(|t| t.contains("stopped; everything is kept"))
    };
    assert!(messages(&output.stdout).iter().any(shown), "the display says that it was stopped");
    let plain = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(plain.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    learner.fit_head().unwrap();
    assert!(files::read(&learner.run().best()).unwrap() == files::read(&folder.path().join("best")).unwrap());
}

#[test]
fn f76_stop_ends_every_other_long_call_at_a_safe_point_and_leaves_nothing_half_done() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let folder = Path::new(&folder);
        let stop = folder.join("stop");
        let is_stopped = |name: &str, result: Result<()>| {
            let error: Error = result.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{name}: {error}");
            assert!(error.to_string().contains("mend: "), "{name}: {error}");
        };
        let config = small();
        // Photos to split, in a project of their own.
        let (drawn, _) = flowers(&folder.join("drawn"), &config);
        let photos = Dataset::fetch(&drawn, &config).unwrap();
        let project = Project::open(folder.join("split")).unwrap();
        std::fs::write(&stop, "").unwrap();
        is_stopped("verify", photos.verify().map(drop));
        is_stopped("split", photos.split(&project, &config).map(drop));
        assert!(!project.data.join("manifest.csv").exists() && !project.data.join("train").exists());
        std::fs::remove_file(&stop).unwrap();
        let splits = photos.split(&project, &config).unwrap();

        let mut learner = Learner::new(&project, &splits, &config).unwrap();
        learner.fit_head().unwrap();
        std::fs::write(&stop, "").unwrap();
        is_stopped("resplit", photos.resplit(&project, &config).map(drop));
        is_stopped("redraw", splits.redraw(&project, &config).map(drop));
        is_stopped("evaluate", learner.evaluate(Split::Val).map(drop));
        is_stopped("predict", learner.predict_all(&[&photos.root]).map(drop));
        is_stopped("cleaner", learner.cleaner(&[Split::Val, Split::Train]).map(drop));
        let found = learner.lr_find(&learner.head()).unwrap();
        assert_eq!(found.ended, SweepEnd::Stopped);
        std::fs::remove_file(&stop).unwrap();
        // The split that was there still holds, and all goes on.
        let again = petal::data::Splits::open(&project.data).unwrap();
        assert_eq!(again.train.sha256, splits.train.sha256);
        assert!(!learner.evaluate(Split::Val).unwrap().predictions.is_empty());
        learner.cleaner(&[Split::Val]).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    under_a_kernel(
        "shown::f76_stop_ends_every_other_long_call_at_a_safe_point_and_leaves_nothing_half_done",
        folder.path(),
    );
}

#[test]
fn without_a_kernel_that_listens_nothing_of_its_protocol_is_printed() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let config = small();
        let (project, splits) = flowers(Path::new(&folder), &config);
        Learner::new(&project, &splits, &config).unwrap().fit_head().unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = again("shown::without_a_kernel_that_listens_nothing_of_its_protocol_is_printed", CHILD, folder.path())
        .env_remove("PETAL_KERNEL")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains('\x1b'), "{text}");
    assert!(text.contains("epoch   train loss"), "lines, as ever: {text}");
}
