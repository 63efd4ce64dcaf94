//! Model cards: what is measured is in them, whatever the names.

use std::path::Path;

use petal::Seed;
use petal::config::{Config, Duplicates, TestConfig, TrustConfig};
use petal::eval::{Evaluation, Prediction, Slice, Slices, Trusted, metrics};
use petal::files::signed::{Standing, standing};
use petal::models::{Origin, Temperature};
use petal::prelude::*;
use petal::seed::Purpose;
use petal::train::run::{Epoch, History, MadeBy, Measured, OfClass, Origins, PhotosUsed};
use saphyr::{LoadableYamlNode, Yaml};

/// A run of a folder of photos, its classes of these names, in which each photo but the last of a class is right.
fn run(folder: &Path, names: [&str; 3], source: &str) -> RunRecord {
    let mut predictions = Vec::new();
    for photo in 0..12 {
        let (target, right) = (photo / 4, photo % 4 != 3);
        let predicted = if right { target } else { (target + 1) % 3 };
        let probabilities = (0..3).map(|class| if class == predicted { 0.8 } else { 0.1 }).collect();
        predictions.push(Prediction::new(format!("{photo}.jpg"), Some(target), probabilities));
    }
    let classes: Vec<String> = names.map(String::from).to_vec();
    let evaluation = Evaluation::new("m", classes.clone().into(), predictions).unwrap();
    let epoch = Epoch {
        phase: "head".into(),
        epoch: 1,
        learning_rate: 1e-3,
        train_loss: 0.5,
        train_accuracy: 0.8,
        val_loss: 0.4,
        val_accuracy: 0.9,
        best: true,
        seconds: 61.0,
    };
    let measured = Measured::of(&evaluation, TestConfig::default(), 1);
    let of = |class: &String| OfClass { class: class.clone(), train: 1000, val: 4, test: 4 };
    let photos = PhotosUsed {
        source: Origins::Own(source.into()),
        licence: source.into(),
        classes: classes.iter().map(of).collect(),
        split_seed: 42,
        given: false,
        drawn: Vec::new(),
        duplicates_are: Duplicates::Together,
        duplicates: 2,
        leaks: 0,
        split_up: 0,
        conflicts: 1,
        left_out: vec![("cannot be read".into(), 3), (source.into(), 1)],
        dropped: 1,
        relabelled: 2,
    };
    let record = RunRecord {
        name: source.into(),
        folder: folder.to_path_buf(),
        config: Config::demo(),
        made_by: MadeBy {
            model: "efficientnet-lite0".into(),
            best_sha256: "0".repeat(64),
            ended: vec![("head".into(), source.into())],
            weights: Some(Origin {
                name: "timm/tf_efficientnet_lite0.in1k, rounded to f16".into(),
                sha256: "1".repeat(64),
                licence: Some("Apache-2.0".into()),
            }),
            photos: Some(photos),
            peak_memory: Some(600_000_000),
            ..MadeBy::default()
        },
        history: History { epochs: vec![epoch], ended: Vec::new() },
        metrics: [("test".to_string(), measured)].into(),
    };
    evaluation.write_csv(&record.predictions("test")).unwrap();
    record
}

/// The head as YAML 1.2 reads it, and the text below it. The head is what the hub takes for one: from the first `---` to the next.
fn read(card: &str) -> (String, String) {
    let (head, text) = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap();
    (head.to_string(), text.to_string())
}

fn get<'a>(yaml: &'a Yaml<'a>, path: &str) -> &'a Yaml<'a> {
    path.split('.').fold(yaml, |yaml, key| match key.parse::<usize>() {
        Ok(index) => &yaml[index],
        Err(_) => &yaml[key],
    })
}

#[test]
fn a_card_has_what_the_hub_reads_and_what_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let card = run(folder.path(), ["daisy", "roses", "tulips"], "my_photos").card();
    let (head, text) = read(&card);
    let yaml = Yaml::load_from_str(&head).unwrap();
    let string = |path: &str| get(&yaml[0], path).as_str().unwrap_or_else(|| panic!("{path} in {head}"));
    for (path, expected) in [
        ("license", "apache-2.0"),
        ("library_name", "petal"),
        ("pipeline_tag", "image-classification"),
        ("tags.0", "petal"),
        ("tags.3", "efficientnet-lite0"),
        ("base_model", "timm/tf_efficientnet_lite0.in1k"),
        ("metrics.0", "accuracy"),
        ("model-index.0.name", "my_photos"),
        ("model-index.0.results.0.task.type", "image-classification"),
        ("model-index.0.results.0.dataset.name", "my_photos"),
        ("model-index.0.results.0.dataset.type", "imagefolder"),
        ("model-index.0.results.0.dataset.split", "test"),
        ("model-index.0.results.0.metrics.0.type", "accuracy"),
        ("model-index.0.results.0.metrics.0.name", "Accuracy (95 % interval 46.8 to 91.1 %)"),
    ] {
        assert_eq!(string(path), expected, "{path}");
    }
    let accuracy = get(&yaml[0], "model-index.0.results.0.metrics.0.value").as_floating_point().unwrap();
    assert_eq!(accuracy, 0.75);
    // scipy.stats.binomtest(9, 12).proportion_ci(method="wilson") is 0.4677 to 0.9111, and of 3 of 4 it is 0.3006 to 0.9544.
    for words in [
        "# efficientnet-lite0: which of 3 classes a photo shows",
        "75.0 % right (95 % interval 46.8 to 91.1 %)",
        "| test | 12 | 75.0 % (46.8–91.1) | 33.3 % |",
        "| daisy | 4 | 75.0 % (30.1–95.4) | 75.0 % | 0.750 | roses (1) |",
        "3 classes with fewer than 20 photos",
        "| **all** | 3,000 | 12 | 12 |",
        "Left out: 4 files. 3 (cannot be read), 1 (my\\_photos).",
        "1 photo was dropped and 2 photos were put into another class",
        "Leaks were looked for, and none was found: 2 photos are (nearly) the same as another",
        "1 pair of (nearly) the same photo in two classes",
        "petal predict --model best.safetensors photo.jpg",
        "petal::export::load(\"best.safetensors\"",
        "| time | 1 min 1 s in all epochs |",
        "| memory | 600.0 MB at most",
        "## What it was not tested for",
        "are under Apache-2.0. The photos",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    // Cards are published: no folder of anybody's is in one.
    assert!(!card.contains(&folder.path().display().to_string()), "{card}");
}

#[test]
fn a_card_says_what_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = run(folder.path(), ["daisy", "roses", "tulips"], "my_photos");
    // As an earlier petal left it, and not measured.
    (record.made_by.photos, record.made_by.weights, record.made_by.peak_memory) = (None, None, None);
    record.metrics.clear();
    let (head, text) = read(&record.card());
    let yaml = Yaml::load_from_str(&head).unwrap();
    assert_eq!(
        (yaml[0]["license"].as_str(), yaml[0]["license_name"].as_str()),
        (Some("other"), Some("not-chosen-yet"))
    );
    for key in ["datasets", "base_model", "model-index", "metrics"] {
        assert!(yaml[0].as_mapping_get(key).is_none(), "{key} in {head}");
    }
    for words in
        ["was not measured on photos", "Not recorded: an earlier version", "nothing is known of how good it is"]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains("Class by class"), "{text}");

    let mut record = run(folder.path(), ["daisy", "roses", "tulips"], "my_photos");
    let photos = record.made_by.photos.as_mut().unwrap();
    (photos.source, photos.leaks, photos.classes[1].test) = (Origins::TfFlowers, 3, 0);
    let (head, text) = read(&record.card());
    assert_eq!(Yaml::load_from_str(&head).unwrap()[0]["datasets"][0].as_str(), Some("tf_flowers"));
    for words in ["**Leak:** 3 pairs", "Classes without a photo to test with: roses"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

/// Names that would be markup, YAML or the end of the head, and 300 that are drawn from what such names are made of.
#[test]
fn f97_names_of_any_kind_are_themselves_in_a_card() {
    const PARTS: [&str; 24] = [
        "---",
        "\n",
        "\r",
        ": ",
        "\"",
        "'",
        "\\",
        "#",
        "<script>",
        "|",
        "`",
        "*",
        "_x_",
        "[a](http://b)",
        "@me",
        "{{",
        "%",
        "- ",
        "\t",
        "\u{85}",
        "\u{2028}",
        "\u{7f}",
        "\u{feff}",
        "🌷",
    ];
    let mut stream = Seed(1).stream(Purpose::Examples, 0, 0);
    let mut drawn = || (0..1 + stream.below(6)).map(|_| PARTS[stream.below(PARTS.len())]).collect::<String>();
    let mut names: Vec<String> = PARTS.iter().map(|part| part.to_string()).collect();
    names.extend(
        ["...\n---\nlicense: mit", "null", "!!python/object:os", "&a *a", "</table><img src=x onerror=alert(1)>"]
            .map(String::from),
    );
    names.extend((0..300).map(|_| drawn()));
    let folder = tempfile::tempdir().unwrap();
    for name in &names {
        let record = run(folder.path(), [&format!("a{name}"), "b", &format!("{name}c")], name);
        let card = record.card();
        let (head, text) = read(&card);
        let yaml = Yaml::load_from_str(&head).unwrap_or_else(|cause| panic!("{name:?}: {cause}\n{head}"));
        let read = get(&yaml[0], "model-index.0.results.0.dataset.name").as_str().unwrap();
        // Control characters are shown escaped, as everywhere.
        let control = name.chars().any(|c| c.is_control());
        assert!(if control { read.contains('\\') } else { read == name }, "{name:?} was read as {read:?}");
        assert_eq!(yaml[0].as_mapping().unwrap().len(), 7, "{name:?}: {head}");
        let (_, table) = text.split_once("\n## Class by class\n").unwrap();
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).take(5).collect();
        for row in &rows {
            assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{name:?}: {row}");
        }
        let outside: String = text.split("```").step_by(2).collect();
        for foreign in ["<script", "<img", "</table", "](http://b", "\u{7f}", "\u{85}"] {
            assert!(!outside.contains(foreign), "{name:?}: {foreign} in {text}");
        }
        assert_eq!(standing(card.as_bytes()), Standing::Unchanged("best.safetensors".into()), "{name:?}");
    }
}

/// Probabilities of 0.8 and 0.1 that were told at the temperature 2 were 0.9697 and 0.0152 before: 9 of 12 right is 0.2197 from it, and 0.05 from 0.8.
#[test]
fn a_card_says_how_far_to_trust_a_model_that_was_calibrated_and_nothing_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = run(folder.path(), ["daisy", "roses", "tulips"], "my_photos");
    assert!(!record.card().contains("## How far to trust it") && record.card().contains("for any picture whatever"));
    let value = 2.0;
    let temperature =
        Temperature { value, fitted: value, low: 1.5, high: 3.0, photos: 40, loss_raw: 1.0, loss_out_of_fold: 0.9 };
    let trusted = Trusted { temperature, how: TrustConfig::default(), has_bank: false, has_limit: false };
    record.metrics.get_mut("test").unwrap().trusted = Some(trusted);
    let card = record.card();
    for words in [
        "its validation photos were too few to tell, or it was not to",
        "## How far to trust it",
        "logits are divided by 2.00, fitted on 40 validation photos",
        "calibration error 22.0 % (",
        "before and 5.0 % (",
    ] {
        assert!(card.contains(words), "{words} in {card}");
    }
    // Nothing was judged, so nothing is said of sets and unknown photos.
    assert!(!card.contains("Sets of classes") && !card.contains("Unknown:"));
}

#[test]
fn a_card_says_where_a_model_is_weaker_and_nothing_of_cameras() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = run(folder.path(), ["daisy", "roses", "tulips"], "my_photos");
    assert!(!record.card().contains("Where it is weaker"));
    let slice = |by: &str, name: &str, hits, photos, p_value| Slice {
        by: by.into(),
        name: name.into(),
        photos,
        accuracy: metrics::wilson(hits, photos),
        elsewhere: 0.95,
        p_value,
    };
    let dark = slice("light", "grey level 10 to 40", 25, 50, Some(0.000_4));
    let camera = slice("camera", "My own *camera*", 3, 12, Some(0.000_2));
    let (class, few) = (slice("class", "roses", 40, 50, Some(0.2)), slice("format", "<b>", 4, 5, None));
    let slices = vec![class, dark.clone(), few, camera.clone()];
    let mut card_of = |slices: Vec<Slice>| {
        let slices = Slices { model: "m".into(), accuracy: metrics::wilson(9, 12), slices };
        record.metrics.get_mut("test").unwrap().slices = Some(slices);
        let card = record.card();
        let (_, text) = card.split_once("## Where it is weaker\n\n").unwrap();
        text.split("\n## ").next().unwrap().to_string()
    };
    // scipy.stats.binomtest(25, 50).proportion_ci(method="wilson") is 0.3664 to 0.6336.
    let text = card_of(vec![slices[0].clone(), dark, slices[2].clone()]);
    for words in [
        "| light | grey level 10 to 40 | 50 | 50.0 % (36.6–63.4) | 95.0 % | < 0.001 |",
        "weakest by light, grey level 10 to 40: 50.0 % (36.6–63.4) right there, 95.0 % elsewhere.",
        "| format | &lt;b&gt; | 5 | 80.0 % (37.6–96.4) | 95.0 % | too few |",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains("roses"), "{text}");
    let text = card_of(slices);
    assert!(text.contains("weakest by camera") && !text.contains("My own"), "{text}");
    assert!(card_of(vec![Slice { p_value: Some(0.4), ..camera }]).contains("No slice is shown to be weaker"));
}
