//! How far a network can be trusted is measured when its training ends, kept in its file, used wherever it is asked, and never taken for another network's.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use candle_core::Device;
use petal::config::{SplitConfig, TestConfig, TestViews, TrustConfig};
use petal::data::Split;
use petal::learner::Learner;
use petal::pixels::{Rgb, encode_jpeg};
use petal::prelude::*;
use petal::train::{Ended, Event};
use petal::{ErrorKind, export};
use serde_json::Value;

use crate::faults::petal;
use crate::support::{described_otherwise, flowers, small_for};
use crate::training::{bytes_of, numbers};

/// Drawn flowers with validation photos enough for 95 %.
fn enough() -> Config {
    Config {
        source: Source::Synthetic { per_class: 24 },
        split: SplitConfig { train: 0.4, val: 0.4, test: 0.2, ..SplitConfig::default() },
        ..small_for(3, 0, 2)
    }
}

/// Settings with this change to what is trusted.
fn trusting(change: impl FnOnce(&mut TrustConfig)) -> Config {
    let mut config = enough();
    change(&mut config.trust);
    config
}

fn trained(folder: &Path, config: &Config) -> Learner {
    let (project, splits) = flowers(folder, config);
    let mut learner = Learner::new(&project, &splits, config).unwrap();
    learner.fit_all().unwrap();
    learner
}

/// A picture without anything on it but noise.
fn noise(path: &Path) {
    let data = (0..96 * 96 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, encode_jpeg(&Rgb { width: 96, height: 96, data }, 95).unwrap()).unwrap();
}

#[test]
fn f83_a_calibration_of_other_weights_or_classes_is_refused_and_a_file_without_one_loads() {
    let folder = tempfile::tempdir().unwrap();
    let mut learner = trained(folder.path(), &enough());
    let path = folder.path().join("model.safetensors");
    let saved = || learner.save(&path).unwrap();
    let refusal = || export::load(&path, &Device::Cpu).unwrap_err();
    saved();
    let (model, info) = export::load(&path, &Device::Cpu).unwrap();
    assert_eq!(Some(&info), Some(learner.info()), "what was saved is what is read");
    assert!(info.trust.as_ref().unwrap().bank.is_some());
    // Another head, in memory: neither is the file written.
    let bias = &model.params().get("head.linear2.bias").unwrap().var;
    bias.set(&(bias.as_tensor() + 1.0).unwrap()).unwrap();
    let error = export::to_bytes(&model, &info).unwrap_err();
    assert!(error.what().contains("measured with other weights") && error.how_to_mend().is_some(), "{error}");
    // Without it, it is a model file as ever.
    let without = export::ModelInfo { trust: None, ..info };
    fs::write(&path, export::to_bytes(&model, &without).unwrap()).unwrap();
    assert_eq!(export::load(&path, &Device::Cpu).unwrap().1, without);
    // Classes that were renamed, or seen otherwise, in the file.
    for change in [(|stored: &mut Value| stored["classes"][0] = "pansy".into()) as fn(&mut Value), |stored| {
        stored["preprocess"]["crop"] = 1.0.into()
    }] {
        saved();
        described_otherwise(&path, change);
        let error = refusal();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(path.as_path())));
        assert!(error.what().contains("measured with other class names or another preprocessing"), "{error}");
        assert_eq!(export::load_untrusted(&path, &Device::Cpu).unwrap().1.trust, None);
    }
    // Or in the learner, which says so by its raw probabilities until it is calibrated anew.
    let photo = learner.evaluate(Split::Val).unwrap().predictions[0].clone();
    assert!(photo.judgement.is_some());
    learner.info_mut().classes[0] = "pansy".into();
    assert_eq!(learner.predict(&photo.path).unwrap().prediction.judgement, None);
    assert!(learner.save(&path).unwrap_err().what().contains("other class names"));
    learner.calibrate().unwrap();
    assert_eq!(learner.predict(&photo.path).unwrap().prediction.judgement, photo.judgement);
    learner.save(&path).unwrap();
}

#[test]
fn f84_too_few_validation_photos_are_told_and_nothing_is_made_of_them() {
    let folder = tempfile::tempdir().unwrap();
    // Five validation photos.
    let learner = trained(folder.path(), &small_for(2, 0, 0));
    let result = learner.evaluate(Split::Val).unwrap();
    assert!(result.predictions.iter().all(|p| p.one_of().is_none() && !p.is_unknown() && p.judgement.is_some()));
    let text = result.text();
    assert!(text.contains("5 validation photos are too few to tell: 19 are needed"), "{text}");
    assert!(result.coverage().is_none() && result.false_alarms().is_none());
    let text = learner.info().trust.as_ref().unwrap().text();
    assert!(text.contains("not for 95 % (19 are needed)"), "{text}");
    // Nor does the command leave it unsaid, or count what it could not have told.
    let run = learner.run().folder.to_str().unwrap();
    noise(&folder.path().join("others/noise.jpg"));
    let said = |arguments: &[&str]| {
        let mut command = petal(folder.path(), &[&arguments[..1], &["--model", run], &arguments[1..]].concat());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let text = said(&["predict", "others"]);
    let few = "5 validation photos are too few to tell: 19 are needed";
    assert!(text.contains(&format!("no sets of classes with the true one in 95.0 % of them: {few}")), "{text}");
    assert!(text.contains(&format!("nothing is called unknown, with 5.0 % false alarms: {few}")), "{text}");
    let json: Value = serde_json::from_str(&said(&["evaluate", "--others", "others", "--json"])).unwrap();
    assert!(json["others"]["others"]["called_unknown"].is_null(), "{json}");
}

#[test]
fn f99_by_photos_that_it_has_learned_from_no_model_is_calibrated_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let learner = trained(folder.path(), &enough());
    let run = learner.run().folder.clone();
    let model = run.join("best.safetensors");
    let said = |arguments: &[&str]| {
        let arguments = [&arguments[..1], &["--model", run.to_str().unwrap()], &arguments[1..]].concat();
        let output = petal(folder.path(), &arguments).output().unwrap();
        let [text, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.success(), text + &error)
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (_, own) = said(&["evaluate", "--json"]);
    assert_eq!(json(own.lines().next().unwrap())["split_is_another_than_trained_with"], false);
    // The run's own split measures the same again, and its card names the file as it is.
    let before = fs::read(&model).unwrap();
    let (done, text) = said(&["calibrate"]);
    assert!(done && fs::read(&model).unwrap() == before && text.contains("its model card"), "{text}");
    let (done, _) = said(&["calibrate", "--without-bank"]);
    let sha256 = petal::files::sha256_file(&model).unwrap();
    let card = fs::read_to_string(run.join("MODEL_CARD.md")).unwrap();
    assert!(done && fs::read(&model).unwrap() != before && card.contains(&sha256), "{card}");
    // Another split of the same photos has some of them in other parts.
    let kept = fs::read(&model).unwrap();
    let split = petal(folder.path(), &["split-dataset", "--seed", "7", "--replace"]).output().unwrap();
    assert!(split.status.success(), "{}", String::from_utf8_lossy(&split.stderr));
    let (done, text) = said(&["calibrate"]);
    assert!(!done && text.contains("may have learned from its validation photos"), "{text}");
    assert_eq!(fs::read(&model).unwrap(), kept);
    let (done, text) = said(&["evaluate"]);
    assert!(done && text.contains("all of this is too good"), "{text}");
    assert!(said(&["calibrate", "--other-photos"]).0);
}

#[test]
fn f85_stopped_while_it_is_measured_a_training_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let config = enough();
    let whole = trained(&folder.path().join("whole"), &config);
    let (project, splits) = flowers(&folder.path().join("stopped"), &config);
    let mut stopped = Learner::new(&project, &splits, &config).unwrap();
    let mut stop = |event: &Event| match event {
        Event::Measuring { done, .. } if *done >= 8 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let phase = stopped.head();
    assert_eq!(stopped.fit_with(&phase, &mut stop).unwrap().ended, Ended::Stopped);
    assert!(!stopped.run().best().exists());
    assert!(matches!(stopped.fit_all().unwrap().ended, Ended::Finished(_)));
    assert_eq!(numbers(&stopped), numbers(&whole));
    assert!(bytes_of(&stopped) == bytes_of(&whole));
}

#[test]
fn f86_a_calibration_that_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let learner = trained(folder.path(), &enough());
    for change in [
        (|trust: &mut Value| trust["temperature"]["value"] = 0.0.into()) as fn(&mut Value),
        |trust| trust["temperature"]["low"] = (-1.0).into(),
        |trust| drop(trust["lac"].as_array_mut().unwrap().pop()),
        |trust| trust["energies"]["values"][0] = 1e30.into(),
        |trust| trust["energies"]["photos"] = 1.into(),
        |trust| trust["energies"]["photos"] = 1_000_000.into(),
        |trust| trust["lac"][0]["values"][0] = (-5.0).into(),
        |trust| drop(trust.as_object_mut().unwrap().remove("distances")),
        |trust| trust["more"] = 1.into(),
    ] {
        learner.save(&path).unwrap();
        described_otherwise(&path, |stored| change(&mut stored["trust"]));
        let error = export::load(&path, &Device::Cpu).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(path.as_path())), "{error}");
        assert!(error.what().contains("makes no sense") || error.what().contains("unknown field"), "{error}");
    }
}

#[test]
fn f87_asked_in_another_way_than_it_was_calibrated_its_probabilities_are_raw() {
    let folder = tempfile::tempdir().unwrap();
    let config = enough();
    let mut learner = trained(folder.path(), &config);
    let own = learner.evaluate(Split::Val).unwrap();
    assert!(own.trusted.is_some());
    learner.info_mut().test = TestConfig { size: 0, views: TestViews::Flip };
    assert_eq!(learner.evaluate(Split::Val).unwrap().trusted, None);
    let run = learner.run().folder.to_str().unwrap().to_owned();
    let predict = |more: &[&str]| {
        let output =
            petal(folder.path(), &[&["predict", "--model", &run, "data/test"], more].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(
        predict(&["--test-views", "flip"]).contains("the calibration was measured with another size or other views")
    );
    assert!(!predict(&[]).contains("probabilities are raw"));
    // Asked so from the beginning, it is calibrated so; and no class's place changes by it, whatever is said.
    learner.calibrate().unwrap();
    let flipped = learner.evaluate(Split::Val).unwrap();
    assert_eq!(flipped.trusted.unwrap().temperature.photos, flipped.predictions.len());
    let raw = {
        learner.trust_mut().raw = true;
        learner.evaluate(Split::Val).unwrap()
    };
    assert!(raw.trusted.is_none());
    for (raw, flipped) in raw.predictions.iter().zip(&flipped.predictions) {
        assert_eq!((raw.best().0, raw.judgement.is_some()), (flipped.best().0, false));
    }
}

#[test]
fn f88_photos_of_none_of_the_classes_are_called_unknown_wherever_they_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let learner = trained(&with, &enough());
    let smaller = trained(&without, &trusting(|trust| trust.bank = false));
    let bank = learner.info().trust.as_ref().unwrap().bank.as_ref().unwrap();
    assert_eq!((bank.len(), bank.bytes()), (learner.loader(Split::Train).len(), 2 * 1280 * bank.len()));
    assert!(bytes_of(&smaller).len() + bank.bytes() < bytes_of(&learner).len());
    let photo = with.join("others/noise.jpg");
    noise(&photo);
    let found = learner.predict(&photo).unwrap();
    assert!(found.prediction.is_unknown(), "{:?}", found.prediction);
    assert!(found.text().starts_with("noise.jpg: unknown (most like "), "{}", found.text());
    let many = learner.predict_all(&[&photo]).unwrap();
    assert!(many.text().contains("unknown: likely of none of these"), "{}", many.text());
    assert!(learner.grad_cam(&many.predictions).unwrap().text().contains(": unknown, most like "));
    // Of the photos that it was measured on, no more than were asked for.
    let val = learner.evaluate(Split::Val).unwrap();
    let alarms = val.false_alarms().unwrap();
    assert!(alarms.value <= 0.05 && val.coverage().unwrap().all.value >= 0.95, "{alarms:?}");
    // Without features, by its energy.
    let judgement = smaller.predict(&photo).unwrap().prediction.judgement.unwrap();
    assert!(judgement.distance.is_none() && judgement.is_unknown.is_some());
    // The command says the same, and 0 false alarms are none.
    let run = learner.run().folder.to_str().unwrap();
    let told = |more: &[&str]| {
        let arguments = [&["predict", "--model", run, "others", "--csv", "said.csv"], more].concat();
        let output = petal(&with, &arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (String::from_utf8(output.stdout).unwrap(), fs::read_to_string(with.join("said.csv")).unwrap())
    };
    let (text, table) = told(&[]);
    assert!(
        text.contains("%  unknown (most like ") && table.contains(",unknown,one of,distance,energy\n"),
        "{text}{table}"
    );
    assert!(table.contains(",yes,"), "{table}");
    let json: Value = serde_json::from_str(&told(&["--json", "--coverage", "0.9"]).0).unwrap();
    let trust = &json["predictions"][0]["trust"];
    assert!(trust["unknown"] == true && trust["coverage"] == 0.9 && trust["one_of"].is_array(), "{json}");
    assert!(!told(&["--false-alarms", "0"]).0.contains("unknown"));
    let (text, table) = told(&["--raw"]);
    assert!(!text.contains("unknown") && !table.contains("energy"), "{text}{table}");
}
