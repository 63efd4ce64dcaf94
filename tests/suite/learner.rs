//! What a learner does of itself: its settings name its phases, and using it changes nothing of it.

use petal::ErrorKind;
use petal::config::{Config, PhaseConfig};
use petal::data::Split;
use petal::export::onnx::{Options, Weights};
use petal::learner::Learner;
use petal::models::Model;
use petal::train::{Ended, Phase};

use crate::support::{flowers, small};

/// One epoch a phase.
fn short() -> Config {
    let once = |learning_rate| PhaseConfig::new(1, 9, learning_rate);
    Config { image_size: 32, head: once(1e-3), fine_tune: once(1e-4), baseline: once(1e-3), ..small() }
}

/// All values of a network.
fn values(model: &Model) -> Vec<Vec<f32>> {
    model.params().iter().map(|(_, param)| param.var.flatten_all().unwrap().to_vec1().unwrap()).collect()
}

#[test]
fn fine_tuning_is_both_phases() {
    let folder = tempfile::tempdir().unwrap();
    let config = short();
    let (project, splits) = flowers(folder.path(), &config);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let fitted = learner.fine_tune().unwrap();
    let phases: Vec<&str> = fitted.history.ended.iter().map(|(phase, _)| phase.as_str()).collect();
    assert_eq!(phases, ["head", "fine-tune"]);
    assert_eq!(learner.fit_upper().unwrap().ended, Ended::Before);
    assert_eq!(learner.phases(), [learner.head(), learner.upper()]);

    // A phase that was changed is what the run's folder says; the settings as given are what the learner's own phases are.
    learner.fit(&Phase { learning_rate: 3e-3, ..learner.head() }).unwrap();
    assert_eq!((learner.config().head.learning_rate, learner.head().learning_rate), (3e-3, 1e-3));

    let mut baseline = Learner::baseline(&project, &splits, &config).unwrap();
    let error = baseline.fine_tune().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.how_to_mend().unwrap_or_default().contains("fit_all"), "{error}");
    assert!(matches!(baseline.fit_all().unwrap().ended, Ended::Finished(_)));
}

#[test]
fn using_a_learner_changes_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = short();
    let (project, splits) = flowers(folder.path(), &config);
    let early = Learner::new(&project, &splits, &config).unwrap();
    let before = values(early.model());

    // Another notebook trains the same run.
    let mut other = Learner::new(&project, &splits, &config).unwrap();
    other.fit_head().unwrap();
    let expected = other.evaluate(Split::Test).unwrap().predictions;
    assert_ne!(values(other.model()), before);

    // What is predicted is what the run has come to; the network that was there is as it was.
    assert_eq!(early.evaluate(Split::Test).unwrap().predictions, expected);
    let photo = &splits.test.samples[0].path;
    assert_eq!(
        early.predict(photo).unwrap().prediction.probabilities,
        other.predict(photo).unwrap().prediction.probabilities
    );
    assert_eq!(values(early.model()), before);

    // So is what is exported, to the byte; 8 bits are spread by the photos to train on.
    let at = |name: &str| folder.path().join(name);
    early.export_onnx(at("early.onnx")).unwrap();
    let exported = other.export_onnx(at("other.onnx")).unwrap();
    let bytes = std::fs::read(at("other.onnx")).unwrap();
    assert_eq!(std::fs::read(at("early.onnx")).unwrap(), bytes);
    assert_eq!(exported.reference, Some(at("other.onnx.json")));
    assert!(exported.text().contains("f32 weights, u8 pictures [N, 3, 32, 32]"), "{}", exported.text());
    let small = Options { weights: Weights::Int8(other.onnx_ranges().unwrap()), ..Options::default() };
    let exported = other.export_onnx_as(at("small.onnx"), &small).unwrap();
    assert!(3 * exported.bytes < bytes.len() as u64);
    // The model file that it names is the one that the learner saves.
    let saved = other.save(at("model.safetensors")).unwrap();
    let named = |text: &[u8], hash: &str| text.windows(hash.len()).any(|part| part == hash.as_bytes());
    assert!(named(&bytes, &saved.sha256));
}

#[test]
fn nothing_is_exported_before_a_phase_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &short());
    let learner = Learner::new(&project, &splits, &short()).unwrap();
    assert_eq!(learner.export_onnx(folder.path().join("x.onnx")).unwrap_err().kind(), ErrorKind::Config);
    assert!(!folder.path().join("x.onnx").exists() && !folder.path().join("x.onnx.json").exists());
}
