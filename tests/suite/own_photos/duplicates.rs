//! What the command says of photos that show the same.

use std::fs;

use super::{petal, photos, refused, well};

#[test]
fn f63_the_command_tells_pairs_and_takes_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    photos(&at.join("photos"), 12, 900);
    for index in 0..3 {
        fs::copy(at.join(format!("photos/cat/00{index}.jpg")), at.join(format!("photos/dog/copy {index}.jpg")))
            .unwrap();
    }
    let split = ["split-dataset", "--photos", "photos", "--data", "data"];
    let with = |more: &[&'static str]| [&split[..], more].concat();
    let json: serde_json::Value = serde_json::from_str(&well(at, &with(&["--json"]))).unwrap();
    assert_eq!((&json["duplicates"], &json["duplicates_are"]), (&3.into(), &"together".into()));
    assert_eq!(json["pairs"].as_array().unwrap().len(), 3);
    assert_eq!(json["pairs"][0], serde_json::json!({"one": "cat/000.jpg", "other": "dog/copy 0.jpg", "likeness": 1.0}));
    assert_eq!(json["conflicts"].as_array().unwrap().len(), 3);

    let made = "this split was made with duplicates = together; asked for is off";
    refused(at, &with(&["--duplicates", "off"]), &[made, "--replace"]);
    refused(at, &["train", "--data", "data", "--models", "models", "--duplicates", "off"], &[made]);
    let said = well(at, &with(&["--duplicates", "report", "--replace"]));
    assert!(
        said.contains("3 photos are (nearly) the same as another; the parts were drawn as if they were not"),
        "{said}"
    );
    let said = well(at, &with(&["--duplicates", "off", "--replace"]));
    assert!(said.contains("were not looked for") && !said.contains("two classes"), "{said}");
    for (flag, value, word) in
        [("--duplicate-threshold", "2", "split.duplicate_threshold is 2"), ("--duplicates", "of", "did you mean off?")]
    {
        let output = petal(at, &with(&[flag, value, "--replace"]));
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && complaints.contains(word), "{complaints}");
    }
}
