//! What frozen layers compute, on disk: exact keys, shared by all, held while it is read, bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use candle_core::{Device, Tensor};
use petal::config::{AugmentConfig, Backbone, Config, PhaseConfig, WeightsFrom};
use petal::data::{Loader, Split, Splits};
use petal::learner::{Kind, Learner};
use petal::models::{Architecture, Cut, Model, Ops, registry};
use petal::pixels::{Filter, Preprocess};
use petal::train::cache::FrozenPart;
use petal::train::{Cache, Event, Evicted, Phase, Room, Sweep, Sweeping};
use petal::{ErrorKind, Project, Seed, files};
use serde_json::Value;

use crate::support::{again, flowers, small, wait_for};
use crate::training::{bytes_of, train};

/// Has a phase's cache files made, and no more. What was missing, if anything was.
fn prepare(project: &Project, splits: &Splits, config: &Config, phase: &Phase) -> Option<Room> {
    let learner = Learner::new(project, splits, config).unwrap();
    let mut missing = None;
    let mut look = |event: Sweeping| match event {
        Sweeping::Room(room) => {
            assert!(missing.replace(room).is_none(), "it is said once");
            ControlFlow::Continue(())
        }
        Sweeping::Caching { done, total } => {
            assert!(done <= total && missing.is_some(), "the size is said first");
            ControlFlow::Continue(())
        }
        Sweeping::Step { .. } => ControlFlow::Break(()),
    };
    learner.lr_find_with(phase, &Sweep::default(), &mut look).unwrap();
    missing
}

/// The cache's files by name, with their sizes.
fn content(project: &Project) -> BTreeMap<String, u64> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    Cache::open(project).unwrap().files.iter().map(|file| (name(&file.path), file.bytes)).collect()
}

/// How many files a phase's cache lacked.
fn missing(project: &Project, splits: &Splits, config: &Config, phase: &Phase) -> usize {
    let before = content(project);
    let room = prepare(project, splits, config, phase);
    let mut new = content(project);
    new.retain(|name, _| !before.contains_key(name));
    // What was said beforehand is what was written, but for the headers.
    let (needed, bytes) = (room.map_or(0, |room| room.needed), new.values().sum::<u64>());
    assert_ne!(room.is_some(), new.is_empty());
    assert!((needed..=needed + 2000 * new.len() as u64).contains(&bytes), "{needed} bytes said, {bytes} written");
    new.len()
}

#[test]
fn each_setting_that_decides_what_is_kept_is_a_miss_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let base = small();
    let (project, splits) = flowers(folder.path(), &base);
    let head = |config: &Config| missing(&project, &splits, config, &Phase::head(config));
    // Two views of the photos to learn from, and the validation photos.
    assert_eq!((head(&base), head(&base)), (3, 0));

    let augmented = |augment: AugmentConfig| Config { augment, ..base.clone() };
    let augment = base.augment;
    for (what, config, expected) in [
        ("seed", Config { seed: 43, ..base.clone() }, 2),
        ("flip", augmented(AugmentConfig { flip: false, ..augment }), 2),
        ("rotate", augmented(AugmentConfig { rotate: 10.1, ..augment }), 2),
        ("zoom", augmented(AugmentConfig { zoom: 1.2, ..augment }), 2),
        ("brightness", augmented(AugmentConfig { brightness: 0.21, ..augment }), 2),
        ("contrast", augmented(AugmentConfig { contrast: 0.21, ..augment }), 2),
        ("a third view", Config { views: 3, ..base.clone() }, 1),
        ("image size", Config { image_size: 65, ..base.clone() }, 3),
        ("weights", Config { weights: WeightsFrom::Random, ..base.clone() }, 3),
        ("backbone", Config { backbone: Backbone::Resnet18, weights: WeightsFrom::Random, ..base.clone() }, 3),
    ] {
        assert_eq!((head(&config), head(&config)), (expected, 0), "{what}");
    }
    let upper = Phase::upper(&base);
    let tune = || missing(&project, &splits, &base, &upper);
    assert_eq!((tune(), tune()), (3, 0), "another cut");

    let same =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/pretrained/tf_efficientnet_lite0.in1k.f16.safetensors");
    let phase = PhaseConfig { epochs: 7, patience: 2, learning_rate: 0.03 };
    for (what, config) in [
        ("head", Config { head: phase, ..base.clone() }),
        ("fine-tune", Config { fine_tune: phase, ..base.clone() }),
        ("baseline", Config { baseline: phase, ..base.clone() }),
        ("batch size", Config { batch_size: 5, ..base.clone() }),
        ("hidden", {
            let mut config = base.clone();
            config.classifier.hidden = 31;
            config
        }),
        ("dropout", {
            let mut config = base.clone();
            config.classifier.dropout = 0.1;
            config
        }),
        ("limit", Config { cache_limit: 1.0, ..base.clone() }),
        ("the same weights from elsewhere", Config { weights: WeightsFrom::File(same), ..base.clone() }),
    ] {
        assert_eq!(head(&config), 0, "{what}");
    }

    // Nor do they change what is kept: in another place, with all of them changed, and one thread, the same bytes are made.
    let elsewhere = tempfile::tempdir().unwrap();
    let changed = Config { head: phase, batch_size: 5, ..base.clone() };
    let (other, splits) = flowers(elsewhere.path(), &changed);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for phase in [Phase::head(&changed), Phase::upper(&changed)] {
        assert_eq!(one.install(|| missing(&other, &splits, &changed, &phase)), 3);
    }
    for file in Cache::open(&other).unwrap().files {
        let here = Cache::folder(&project).join(file.path.file_name().unwrap());
        assert!(files::read(&here).unwrap() == files::read(&file.path).unwrap(), "{}", here.display());
    }
}

#[test]
fn each_photo_tensor_and_way_to_compute_is_in_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(folder.path(), &small());
    let model = |backbone, ops| {
        let architecture = Architecture::Transfer { backbone, hidden: 8, dropout: 0.3, classes: 5 };
        Model::with_ops(&architecture, Seed(1), &Device::Cpu, ops).unwrap()
    };
    let preprocess = lite_preprocess();
    let loader = |change: &dyn Fn(&mut Vec<String>)| {
        let mut subset = splits.train.clone();
        let mut hashes = subset.hashes.to_vec();
        change(&mut hashes);
        subset.hashes = hashes.into();
        Loader::new(&subset, preprocess, 8, &project.device)
    };
    let lite = model(Backbone::EfficientnetLite0, Ops::Kernels);
    let part = |model: &Model, cut| FrozenPart::of(model, cut).unwrap();
    let features = part(&lite, Cut::Features);
    let name = |loader: &Loader, view| features.key(loader, view).file_name();
    let plain = loader(&|_| ());

    // Each is another name than all others.
    let mut names = BTreeSet::from([name(&plain, 0)]);
    let mut is_new = |what: &str, name: String| assert!(names.insert(name), "{what} is not in the key");
    let photos = splits.train.hashes.len();
    assert_eq!(photos, 50);
    for photo in 0..photos {
        is_new("a photo's bytes", name(&loader(&|hashes| hashes[photo] = files::sha256(b"other")), 0));
        is_new("which photos there are", name(&loader(&|hashes| drop(hashes.remove(photo))), 0));
        is_new("a photo more", name(&loader(&|hashes| hashes.insert(photo, files::sha256(b"new"))), 0));
        if photo > 0 {
            is_new("the order of photos", name(&loader(&|hashes| hashes.swap(photo - 1, photo)), 0));
        }
    }
    let augmented = |seed, view| name(&plain.clone().augmented(AugmentConfig::default(), Seed(seed)), view);
    for (seed, view) in [(1, 0), (1, 1), (2, 0)] {
        is_new("seed or view", augmented(seed, view));
    }
    for other in [
        Preprocess { size: 65, ..preprocess },
        Preprocess { crop: 0.9, ..preprocess },
        Preprocess { filter: Filter::Bilinear, ..preprocess },
        Preprocess { mean: [0.5, 0.5, 0.501], ..preprocess },
        Preprocess { std: [0.5, 0.501, 0.5], ..preprocess },
    ] {
        is_new("preprocessing", name(&Loader::new(&splits.train, other, 8, &project.device), 0));
    }
    is_new("cut", part(&lite, Cut::Upper).key(&plain, 0).file_name());
    is_new(
        "operations",
        part(&model(Backbone::EfficientnetLite0, Ops::Candle), Cut::Features).key(&plain, 0).file_name(),
    );
    is_new("network", part(&model(Backbone::Resnet18, Ops::Kernels), Cut::Features).key(&plain, 0).file_name());
    let key = features.key(&plain, 0);
    let mut newer = key.clone();
    newer.format += 1;
    is_new("format", newer.file_name());
    assert!(
        ["petal", "machine", "gemm", "device", "operations"].iter().all(|by| key.part.computed_by.contains_key(*by))
    );
    for by in key.part.computed_by.keys() {
        let mut newer = key.clone();
        newer.part.computed_by.insert(by.clone(), "another".into());
        is_new(by, newer.file_name());
    }

    // One number of a tensor: of one that is read before the cut, and of any other.
    for (cut, expected) in [(Cut::Features, [4, 245]), (Cut::Upper, [84, 165])] {
        let before = part(&lite, cut);
        let mut counts = [0, 0];
        for (tensor, param) in lite.params().iter() {
            let values = param.var.as_tensor().copy().unwrap();
            let shape = values.dims().to_vec();
            let mut changed = values.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            *changed.last_mut().unwrap() += 0.5;
            param.var.set(&Tensor::from_vec(changed, shape, &Device::Cpu).unwrap()).unwrap();
            let is_read = lite.read_before(cut).iter().any(|name| name == tensor);
            assert_eq!(part(&lite, cut) != before, is_read, "{tensor} at {cut:?}");
            counts[usize::from(is_read)] += 1;
            param.var.set(&values).unwrap();
        }
        assert_eq!(counts, expected, "{cut:?}: the others, and those that are read");
        assert_eq!(part(&lite, cut), before);
    }

    // Labels and names are not what the frozen layers see.
    let mut renamed = splits.train.clone();
    renamed.classes = renamed.classes.iter().map(|class| format!("{class}s")).collect();
    renamed.samples =
        renamed.samples.iter().map(|sample| petal::data::Sample { target: 0, ..sample.clone() }).collect();
    assert_eq!(name(&Loader::new(&renamed, preprocess, 3, &project.device), 0), name(&plain, 0));
}

fn lite_preprocess() -> Preprocess {
    Preprocess { size: 64, ..registry::weights(Backbone::EfficientnetLite0).preprocess }
}

#[test]
fn what_is_read_before_a_cut_is_what_decides_what_comes_out() {
    // Not a ResNet: the branches of a random one are multiplied by zero.
    let backbone = Backbone::EfficientnetLite0;
    let architecture = Architecture::Transfer { backbone, hidden: 8, dropout: 0.3, classes: 5 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let images = Tensor::full(0.5f32, (1, 3, 32, 32), &Device::Cpu).unwrap();
    for cut in [Cut::Upper, Cut::Features] {
        let run = || model.before(&images, cut).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (before, names) = (run(), model.read_before(cut));
        let others: Vec<_> = model.params().iter().filter(|(name, _)| !names.iter().any(|n| n == name)).collect();
        assert!(!others.is_empty());
        let kept: Vec<Tensor> = others.iter().map(|(_, param)| param.var.as_tensor().copy().unwrap()).collect();
        for (_, param) in &others {
            param.var.set(&(param.var.as_tensor() + 1.0).unwrap()).unwrap();
        }
        assert_eq!(run(), before, "{cut:?}");
        for ((_, param), kept) in others.iter().zip(&kept) {
            param.var.set(kept).unwrap();
        }
        for (name, param) in model.params().iter().filter(|(name, _)| name.ends_with("running_mean")) {
            param.var.set(&(param.var.as_tensor() - 0.5).unwrap()).unwrap();
            assert_eq!(run() != before, names.iter().any(|n| n == name), "{cut:?} {name}");
            param.var.set(&(param.var.as_tensor() + 0.5).unwrap()).unwrap();
        }
    }
}

#[test]
fn a_photo_that_changed_on_the_disk_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let head = Phase::head(&config);
    assert_eq!(missing(&project, &splits, &config, &head), 3);
    // What follows a JPEG's end changes no pixel, but it is another file.
    let changed = &splits.train.samples[7].path;
    let bytes = files::read(changed).unwrap();
    fs::write(changed, [&bytes[..], b"!"].concat()).unwrap();
    let error = Splits::open(&project.data).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dataset, "{error}");
    // Whoever splits anew.
    let raw = petal::data::Dataset::fetch(&project, &config).unwrap();
    let name = changed.file_name().unwrap();
    let original = raw.samples.iter().find(|sample| sample.path.file_name() == Some(name)).unwrap();
    fs::write(&original.path, [&bytes[..], b"!"].concat()).unwrap();
    let splits = petal::data::Dataset::folder(&raw.root).unwrap().resplit(&project, &config).unwrap();
    assert!(missing(&project, &splits, &config, &head) >= 2, "both views of the part that it is in");
    assert_eq!(missing(&project, &splits, &config, &head), 0);
}

fn petal_command(folder: &Path, arguments: &[&str]) -> (Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_petal"));
    let output = command.current_dir(folder).args(arguments).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    (serde_json::from_slice(&output.stdout).unwrap(), said)
}

#[test]
fn library_and_command_and_all_runs_share_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    assert_eq!(missing(&project, &splits, &config, &Phase::head(&config)), 3);
    let before = content(&project);

    fs::write(folder.path().join("petal.toml"), config.to_toml()).unwrap();
    let train = |run: &str| petal_command(folder.path(), &["train", "--config", "petal.toml", "--run", run]).1;
    let said = train("first");
    // The head's phase finds them; the upper layers' are new.
    let phases: Vec<&str> = said.split("phase fine-tune: up to").collect();
    assert!(phases.len() == 2 && !phases[0].contains("go into the cache"), "{said}");
    assert!(phases[1].contains("frozen layers: ") && phases[1].contains(" go into the cache"), "{said}");
    let after = content(&project);
    assert!(after.len() == 6 && before.iter().all(|file| after.get(file.0) == Some(file.1)));
    assert!(!train("second").contains("go into the cache"));
    // And what the command made, the library finds.
    assert_eq!(missing(&project, &splits, &config, &Phase::upper(&config)), 0);
    assert_eq!(content(&project), after);

    let (cache, _) = petal_command(folder.path(), &["cache"]);
    assert_eq!(cache["bytes"].as_u64(), Some(after.values().sum()));
    assert_eq!(cache["files"].as_array().unwrap().len(), 6);
    assert_eq!(cache["files"][0]["in_use"], false);
    assert_eq!(cache["removed"]["files"], 0);
    let text = Cache::open(&project).unwrap().text();
    for words in ["6 files", "efficientnet-lite0, features", "efficientnet-lite0, upper", "just now"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Somebody else's file is not touched.
    let foreign = Cache::folder(&project).join("notes.bin");
    fs::write(&foreign, "mine").unwrap();
    let (cleared, _) = petal_command(folder.path(), &["cache", "--clear"]);
    assert_eq!((cleared["removed"]["files"].as_u64(), &cleared["removed"]["bytes"]), (Some(6), &cache["bytes"]));
    assert!(content(&project).is_empty() && foreign.exists());
    assert!(project.text().contains("0 bytes in 0 files"), "{}", project.text());
}

#[test]
fn files_that_were_not_used_for_longest_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let of = |seed, cache_limit| Config { seed, cache_limit, ..small() };
    let (project, splits) = flowers(folder.path(), &of(1, 1.0));
    let prepare = |seed, limit| {
        let config = of(seed, limit);
        let before = content(&project);
        let room = prepare(&project, &splits, &config, &Phase::head(&config));
        let after = content(&project);
        let new: Vec<String> = after.keys().filter(|name| !before.contains_key(*name)).cloned().collect();
        let gone: Vec<String> = before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
        // What went is said.
        let bytes = gone.iter().map(|name| before[name]).sum();
        assert_eq!(room.map_or(Evicted::default(), |room| room.evicted), Evicted { files: gone.len(), bytes });
        (new, gone)
    };
    let (first, _) = prepare(1, 1.0);
    let (second, _) = prepare(2, 1.0);
    // The validation photos are seen the same under each seed.
    assert_eq!((first.len(), second.len()), (3, 2));
    assert_eq!(prepare(1, 1.0), (vec![], vec![]), "used again");

    // A little less room than for all of them: of the second one's views one goes, though they are the younger files.
    let all = content(&project).values().sum::<u64>() + second.iter().map(|name| content(&project)[name]).sum::<u64>();
    let (third, gone) = prepare(3, (all - 5000) as f64 / 1e9);
    assert!(third.len() == 2 && gone.len() == 1 && second.contains(&gone[0]), "{gone:?}");
    let left: BTreeSet<String> = content(&project).into_keys().collect();
    assert!(first.iter().chain(&third).all(|name| left.contains(name)));

    // With no room at all everything goes but what this training itself reads, and is written.
    let (new, gone) = prepare(4, 0.0);
    assert_eq!((new.len(), gone.len(), content(&project).len()), (2, 5, 3));
    assert!(content(&project).keys().any(|name| first.contains(name)), "the validation photos'");
    // A limit removes nothing where nothing is to be written.
    assert_eq!(prepare(4, 0.0), (vec![], vec![]));
}

#[test]
fn what_a_killed_process_left_goes_and_what_is_being_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let cache = Cache::folder(&project);
    fs::create_dir_all(&cache).unwrap();
    let [left, living] = ["0", "1"].map(|digit| cache.join(format!(".{}.bin.tmp", digit.repeat(64))));
    fs::write(&left, "half of a file").unwrap();
    fs::write(&living, "it grows").unwrap();
    let writer = fs::File::open(&living).unwrap();
    writer.lock().unwrap();
    let room = prepare(&project, &splits, &config, &Phase::head(&config)).unwrap();
    assert_eq!(room.evicted, Evicted { files: 1, bytes: 14 });
    assert!(!left.exists() && living.exists());
    let cleared = Cache::open(&project).unwrap().clear().unwrap();
    assert!(cleared.files == 3 && living.exists());
    assert!(Cache::open(&project).unwrap().text().contains("unfinished"));
    drop(writer);
    assert_eq!(Cache::open(&project).unwrap().clear().unwrap(), Evicted { files: 1, bytes: 8 });
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let head = Phase::head(&config);
    prepare(&project, &splits, &config, &head);
    let files: Vec<PathBuf> = Cache::open(&project).unwrap().files.into_iter().map(|file| file.path).collect();
    let good = files.iter().map(|path| files::read(path).unwrap()).collect::<Vec<_>>();
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    let flipped = |place: usize| {
        let mut bytes = good[0].clone();
        bytes[place] ^= 0x40;
        bytes
    };
    let cut = good[0][..good[0].len() - 1].to_vec();
    for (what, bad) in [
        ("another's content", good[1].clone()),
        ("one byte short", cut),
        ("the beginning of one", good[0][..100].to_vec()),
        ("nothing", Vec::new()),
        ("a lying length", flipped(7)),
        ("another key", flipped(40)),
    ] {
        fs::write(&files[0], &bad).unwrap();
        let error = learner.fit_with(&head, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.path(), Some(files[0].as_path()), "{what}: {error}");
        assert!(error.how_to_mend().unwrap().contains("delete this file of the cache"), "{what}: {error}");
    }
    fs::remove_file(&files[0]).unwrap();
    learner.fit_with(&head, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(files::read(&files[0]).unwrap() == good[0]);
}

const HELD: &str = "cache::what_another_process_reads_stays_and_even_deleted_it_is_read_to_the_end";
const CHILD: &str = "PETAL_TEST_CACHE";

#[test]
fn what_another_process_reads_stays_and_even_deleted_it_is_read_to_the_end() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return train_slowly(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    let mut other = again(HELD, CHILD, folder.path()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    wait_for("the first step", || folder.path().join("reads").exists());
    let cache = Cache::open(&project).unwrap();
    assert!(cache.files.len() == 3 && cache.files.iter().all(|file| file.in_use), "{}", cache.text());
    assert_eq!(cache.clear().unwrap(), Evicted::default());
    let strict = Config { seed: 5, cache_limit: 0.0, ..config.clone() };
    let room = prepare(&project, &splits, &strict, &Phase::head(&strict)).unwrap();
    assert_eq!((room.evicted, content(&project).len()), (Evicted::default(), 5));
    #[cfg(unix)]
    fs::remove_dir_all(Cache::folder(&project)).unwrap();
    fs::write(folder.path().join("go on"), "").unwrap();
    assert!(other.wait().unwrap().success());

    let undisturbed = tempfile::tempdir().unwrap();
    let (project, splits) = flowers(undisturbed.path(), &config);
    let expected = bytes_of(&train(&project, &splits, &config, None));
    assert!(files::read(&folder.path().join("models/runs/slow/best.safetensors")).unwrap() == expected);
}

/// Trains both phases, and waits after the first step.
fn train_slowly(folder: &Path) {
    let config = small();
    let project = Project::open_on(folder, petal::project::DeviceChoice::Cpu).unwrap();
    let splits = Splits::open(&project.data).unwrap();
    let mut learner = Learner::in_run(&project, &splits, &config, Kind::Transfer, Some("slow")).unwrap();
    let mut steps = 0;
    let mut wait = |event: &Event| {
        if matches!(event, Event::Step { .. }) {
            steps += 1;
            if steps == 1 {
                fs::write(folder.join("reads"), "").unwrap();
                wait_for("the word to go on", || folder.join("go on").exists());
            }
        }
        ControlFlow::Continue(())
    };
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        learner.fit_with(&phase, &mut wait).unwrap();
    }
    learner.evaluate(Split::Val).unwrap();
}

#[test]
fn two_at_once_make_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = small();
    let (project, splits) = flowers(folder.path(), &config);
    std::thread::scope(|scope| {
        for learning_rate in [1e-3, 2e-3] {
            let config = Config { head: PhaseConfig { learning_rate, ..config.head }, ..config.clone() };
            let (project, splits) = (&project, &splits);
            scope.spawn(move || prepare(project, splits, &config, &Phase::head(&config)));
        }
    });
    let made = content(&project);
    assert_eq!(made.len(), 3);
    assert_eq!(missing(&project, &splits, &config, &Phase::head(&config)), 0);
}

#[test]
fn only_views_that_will_be_read_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let epochs = |epochs| PhaseConfig { epochs, patience: 9, learning_rate: 1e-4 };
    // Epoch 1 sees the first view, epoch 2 the second.
    let config = Config { head: epochs(1), fine_tune: epochs(1), ..small() };
    let (project, splits) = flowers(folder.path(), &config);
    let mut computed = Vec::new();
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        let mut look = |event: &Event| {
            if let Event::Caching { done, total } = event
                && done == total
            {
                computed.push(*total);
            }
            ControlFlow::Continue(())
        };
        learner.fit_with(&phase, &mut look).unwrap();
    }
    let photos = splits.train.samples.len() + splits.val.samples.len();
    assert_eq!((computed, content(&project).len()), (vec![photos, photos], 4));
    // Two epochs read both: one more file than the one epoch's.
    let both = Config { fine_tune: epochs(2), ..config };
    assert_eq!(missing(&project, &splits, &both, &Phase::upper(&both)), 1);
    let keys = FrozenPart::of(learner.model(), Cut::Upper).unwrap();
    let loader = learner.loader(Split::Train).augmented(both.augment, Seed(both.seed));
    for view in [0, 1] {
        assert!(content(&project).contains_key(&keys.key(&loader, view).file_name()), "view {view}");
    }
}
