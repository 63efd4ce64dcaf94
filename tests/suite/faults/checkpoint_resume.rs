//! F40 and F41: going on from a checkpoint gives the same bytes, and one that belongs to something else is refused.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use candle_core::{Device, Tensor};
use petal::config::Config;
use petal::learner::{Kind, Learner};
use petal::nn::codec;
use petal::train::{Checkpoint, Ended, Event, Phase};
use petal::{ErrorKind, files};
use serde_json::Value;

use super::checkpoint_saves::{any_run, content};
use super::run_folder::{begin, tiny};
use crate::support::{flowers, small_for};

/// Rewrites a checkpoint with this change to its description.
fn rewrite(path: &Path, change: impl Fn(&mut Value)) {
    let (tensors, metadata) = codec::read(path, &Device::Cpu).unwrap();
    let mut description: Value = serde_json::from_str(&metadata).unwrap();
    change(&mut description);
    codec::write(path, &tensors, &description.to_string()).unwrap();
}

#[test]
fn f40_a_checkpoint_of_something_else_is_refused_by_what_differs_and_an_older_format_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let config = tiny();
    let (project, splits) = flowers(folder.path(), &config);
    let open = |config: &Config| Learner::in_run(&project, &splits, config, Kind::Baseline, Some("run"));
    let mut learner = open(&config).unwrap();
    // Stopped in the middle: there is something to go on with.
    let stop = &mut |event: &Event| match event {
        Event::Step { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert_eq!(learner.fit_with(&Phase::baseline(&config), stop).unwrap().ended, Ended::Stopped);
    let last = learner.run().last();
    let whole = files::read(&last).unwrap();
    let refused = |config: &Config| {
        let error = open(config).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Checkpoint, Some(last.as_path())));
        error.to_string()
    };

    let text = refused(&Config { seed: 7, batch_size: 16, ..config.clone() });
    assert!(text.contains("batch_size was 8, is 16; ") && text.contains("seed was 42, is 7"), "{text}");
    rewrite(&last, |d| d["made_with"]["classes"] = "tulips, roses, sunflowers, dandelion, daisy".into());
    let text = refused(&config);
    assert!(text.contains("classes was tulips, roses,") && text.contains("is daisy, dandelion,"), "{text}");
    rewrite(&last, |d| {
        d["made_with"]["classes"] = splits.classes.join(", ").into();
        d["format"] = 99.into();
        d["what_comes"] = "in a later version".into();
    });
    let text = refused(&config);
    assert!(text.contains("format 99") && text.contains("reads 1 to 3"), "{text}");

    // A bit that changed on the disk, far from the header.
    let mut bytes = whole.clone();
    let at = bytes.len() - 5;
    bytes[at] ^= 1;
    fs::write(&last, &bytes).unwrap();
    let error = begin(open(&config), &config);
    assert_eq!((error.kind(), error.path()), (ErrorKind::Checkpoint, Some(last.as_path())));
    assert!(error.what().contains("not those that were written"), "{error}");
    // Tensors of another network, rightly written.
    fs::write(&last, &whole).unwrap();
    let run = any_run(&learner.run().folder);
    let mut checkpoint = run.load(&Device::Cpu).unwrap();
    let bias = checkpoint.model.remove("dense2.bias").unwrap();
    run.save(&checkpoint).unwrap();
    let error = begin(open(&config), &config);
    assert!(error.what().contains("1 missing (dense2.bias)"), "{error}");
    checkpoint.model.insert("dense2.bias".into(), bias);
    checkpoint.best.insert("dense9.bias".into(), Tensor::new(&[1f32], &Device::Cpu).unwrap());
    run.save(&checkpoint).unwrap();
    let error = begin(open(&config), &config);
    assert!(error.what().contains("1 not wanted (dense9.bias)"), "{error}");

    // The first version's format had no hash, and no list of phases; what the phases computed stood in the settings. A phase without a whole
    // epoch begins anew.
    fs::write(&last, &whole).unwrap();
    rewrite(&last, |d| older(d, 1, 0));
    let mut steps = Vec::new();
    let look = &mut |event: &Event| {
        steps.extend(match event {
            Event::Begin { steps, .. } => Some(*steps),
            _ => None,
        });
        ControlFlow::Continue(())
    };
    let fitted = open(&config).unwrap().fit_with(&Phase::baseline(&config), look).unwrap();
    assert!(matches!(fitted.ended, Ended::Finished(_)));
    assert_eq!(steps, [0]);
    let Checkpoint { progress, .. } = run.load(&Device::Cpu).unwrap();
    assert_eq!((progress.format, progress.sha256.map(|hash| hash.len())), (3, Some(64)));
    let whole = content(run.load(&Device::Cpu).unwrap());

    // With a whole epoch it goes on, to the same bytes.
    learner.reset().unwrap();
    let stop = &mut |event: &Event| match event {
        Event::Epoch { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    assert_eq!(learner.fit_with(&Phase::baseline(&config), stop).unwrap().ended, Ended::Stopped);
    rewrite(&last, |d| older(d, 2, 1));
    let mut begun = Vec::new();
    let look = &mut |event: &Event| {
        if let Event::Begin { epochs, .. } = event {
            begun.push(*epochs);
        }
        ControlFlow::Continue(())
    };
    let mut learner = open(&config).unwrap();
    learner.fit_with(&Phase::baseline(&config), look).unwrap();
    assert_eq!(begun, [1]);
    assert!(content(run.load(&Device::Cpu).unwrap()) == whole);
}

/// Makes a checkpoint's description what an earlier version of petal wrote.
fn older(description: &mut Value, format: u32, epochs: usize) {
    description["format"] = format.into();
    description["phase"] = "baseline".into();
    description["phase_epochs"] = epochs.into();
    description["finished"] = serde_json::json!([]);
    description["made_with"]["baseline"] = "{\"epochs\":2,\"patience\":9,\"learning_rate\":0.001}".into();
    let fields = description.as_object_mut().unwrap();
    fields.remove("phases").unwrap();
    if format == 1 {
        fields.remove("sha256").unwrap();
    }
}

/// Trains phases to their ends. With `stops`, in the middle and at the end of every epoch, each time going on with a new learner,
/// as after a restart. Gives the checkpoint after each epoch and at the end, and the model file.
fn trained(open: &dyn Fn() -> Learner, phases: &[Phase], stops: bool) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let mut learner = open();
    let mut seen = Vec::new();
    for phase in phases {
        let mut stopped = Vec::new();
        loop {
            let run = learner.run().clone();
            let observe = &mut |event: &Event| {
                let moment = match event {
                    Event::Step { epoch, done, total, .. } if *done >= total / 2 => (*epoch, false),
                    Event::Epoch { epoch, .. } => {
                        seen.push(content(run.load(&Device::Cpu).unwrap()));
                        (epoch.epoch, true)
                    }
                    _ => return ControlFlow::Continue(()),
                };
                if stops && !stopped.contains(&moment) {
                    stopped.push(moment);
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            let ended = learner.fit_with(phase, observe).unwrap().ended;
            if ended != Ended::Stopped {
                break;
            }
            learner = open();
        }
        seen.push(content(learner.run().load(&Device::Cpu).unwrap()));
        assert_eq!(stopped.len(), if stops { 2 * phase.epochs } else { 0 });
    }
    (seen, files::read(&learner.run().best()).unwrap())
}

#[test]
fn f41_stopped_anywhere_and_gone_on_with_every_checkpoint_has_the_same_bytes() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let config = small_for(2, 2, 2);
    // The cache changes nothing either.
    let configs = [config.clone(), Config { cache: false, ..config }];
    let [whole, stopped] = [0, 1].map(|index| {
        let config = &configs[index];
        let (project, splits) = flowers(folders[index].path(), config);
        let open = |kind| Learner::in_run(&project, &splits, config, kind, None).unwrap();
        let transfer = [Phase::head(config), Phase::upper(config)];
        [
            trained(&|| open(Kind::Transfer), &transfer, index == 1),
            trained(&|| open(Kind::Baseline), &[Phase::baseline(config)], index == 1),
        ]
    });
    for (which, (whole, stopped)) in ["transfer", "baseline"].into_iter().zip(whole.into_iter().zip(stopped)) {
        assert_eq!(whole.0.len(), stopped.0.len());
        for (index, (whole, stopped)) in whole.0.iter().zip(&stopped.0).enumerate() {
            assert_eq!(whole.0, stopped.0, "{which}, checkpoint {index}");
            assert!(whole.1 == stopped.1, "{which}, checkpoint {index}: its tensors");
        }
        assert!(whole.1 == stopped.1, "{which}: the model file");
    }
}
