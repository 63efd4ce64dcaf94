//! Memory: as much as was estimated; in a training of many epochs, or of many photos, no more than in one of few.

use std::fmt::Write;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use petal::config::{Config, PhaseConfig, Source};
use petal::data::Dataset;
use petal::learner::{Kind, Learner};
use petal::project::{DeviceChoice, Project};
use petal::train::preflight::Needs;
use petal::train::{Event, Phase};

use super::{as_child, child};
use crate::support::{flowers, small};

const NAME: &str = "faults::memory::memory_stays_flat_over_the_epochs";

/// 30 epochs of small photos; `PETAL_SOAK_EPOCHS=1000` in the environment makes it 1,000 of the demo, which takes half an hour.
#[test]
fn memory_stays_flat_over_the_epochs() {
    let soak = std::env::var("PETAL_SOAK_EPOCHS").ok().map(|text| text.parse().expect("a number of epochs"));
    let epochs: usize = soak.unwrap_or(30);
    if let Some(folder) = as_child() {
        let config = if soak.is_some() { Config::demo() } else { small() };
        return train(&folder, &config, epochs);
    }
    let folder = tempfile::tempdir().unwrap();
    let output = child(NAME, folder.path()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let table = fs::read_to_string(folder.path().join("memory.csv")).unwrap();
    let row = |line: &str| line.split_once(',').map(|(phase, number)| (phase.to_owned(), number.parse().unwrap()));
    let rows: Vec<(String, f64)> = table.lines().map(|line| row(line).unwrap()).collect();
    assert_eq!(rows.len(), epochs);
    // Each phase takes what it needs in its first epochs. After that, nothing is added but a row of the history.
    for phase in rows.chunk_by(|one, next| one.0 == next.0) {
        let most = |rows: &[(String, f64)]| rows.iter().map(|row| row.1).fold(0.0, f64::max);
        let (first, second) = phase.split_at(phase.len() / 2);
        let (name, settled, end) = (&phase[0].0, most(first), most(second));
        eprintln!(
            "{name}: at most {settled:.1} MB in the first half of its {} epochs, {end:.1} MB in the second",
            phase.len()
        );
        assert!(end < settled * 1.03 + 4.0, "{name}: {settled} MB, then {end} MB\n{table}");
    }
}

const F46: &str = "faults::memory::f46_the_estimate_of_memory_is_near_what_is_measured";

/// Too low, and a training ends without a word; too high, and one that would fit is refused.
#[test]
fn f46_the_estimate_of_memory_is_near_what_is_measured() {
    if let Some(folder) = as_child() {
        return measure(&folder);
    }
    for kind in ["Transfer", "Baseline"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kind"), kind).unwrap();
        let output = child(F46, folder.path()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success());
        let numbers = fs::read_to_string(folder.path().join("megabytes")).unwrap();
        let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let &[estimated, measured] = numbers.as_slice() else { panic!("{numbers:?}") };
        eprintln!("{kind}: estimated {estimated:.0} MB, measured {measured:.0} MB");
        assert!((0.8..1.4).contains(&(estimated / measured)), "{kind}: estimated {estimated}, measured {measured} MB");
    }
}

const LINEAR: &str = "faults::memory::ten_times_the_photos_take_the_same_memory";

/// From files to the end of training. How long it takes is shown, and not judged: other work may be going on.
#[test]
fn ten_times_the_photos_take_the_same_memory() {
    if let Some(folder) = as_child() {
        return whole_road(&folder);
    }
    let [few, many] = [12, 120].map(|per_class| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("per_class"), per_class.to_string()).unwrap();
        let output = child(LINEAR, folder.path()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success());
        let table = fs::read_to_string(folder.path().join("steps.csv")).unwrap();
        let row = |line: &str| -> (String, f64, f64) {
            let (name, [photos, times, seconds, megabytes]) = parse(line);
            let rate = photos * times / seconds;
            eprintln!(
                "{name}: {photos} photos, {times} times, in {seconds:.2} s, {rate:.0} photos/s; peak {megabytes:.1} MB"
            );
            (name, photos, megabytes)
        };
        table.lines().map(row).collect::<Vec<_>>()
    });
    assert_eq!((few.len(), many.len()), (4, 4));
    for ((name, few_photos, few), (_, many_photos, many)) in few.into_iter().zip(many) {
        assert!((9.5..10.5).contains(&(many_photos / few_photos)), "{name}: {few_photos}, {many_photos} photos");
        // A photo that stayed in memory would add 0.1 MB or more for each of the 540.
        assert!(many < few * 1.05 + 8.0, "{name}: {few} MB, with ten times the photos {many} MB");
    }
}

/// Draws as many photos as it is told, splits and trains, and writes a row a step: photos, how many times, seconds, the most memory so far.
/// Few photos are trained on again and again, from other seeds and with cache files of their own: the more batches there are, the likelier
/// threads meet where each needs most, and that is not what is looked for.
fn whole_road(folder: &Path) {
    let per_class: usize = fs::read_to_string(folder.join("per_class")).unwrap().parse().unwrap();
    let times = 120 / per_class;
    let epoch = |learning_rate| PhaseConfig::new(2, 2, learning_rate);
    let source = Source::Synthetic { per_class };
    let config = Config { source, head: epoch(1e-3), fine_tune: epoch(1e-4), ..small() };
    let project = Project::open_on(folder, DeviceChoice::Cpu).unwrap();
    let mut table = String::new();
    let mut begun = Instant::now();
    let mut note = |name: &str, photos: usize, times: usize| {
        let seconds = std::mem::replace(&mut begun, Instant::now()).elapsed().as_secs_f64();
        writeln!(table, "{name},{photos},{times},{seconds},{}", status("VmHWM")).unwrap();
    };
    let photos = Dataset::fetch(&project, &config).unwrap();
    note("draw", photos.samples.len(), 1);
    let splits = photos.split(&project, &config).unwrap();
    note("split", photos.samples.len(), 1);
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        for seed in 0..times as u64 {
            let mut learner = Learner::new(&project, &splits, &Config { seed, ..config.clone() }).unwrap();
            learner.fit_with(&phase, &mut |_| ControlFlow::Continue(())).unwrap();
        }
        note(&phase.name, splits.train.samples.len() * 2, times);
    }
    fs::write(folder.join("steps.csv"), table).unwrap();
}

fn parse<const N: usize>(line: &str) -> (String, [f64; N]) {
    let mut cells = line.split(',');
    let name = cells.next().unwrap().to_owned();
    let numbers: Vec<f64> = cells.map(|cell| cell.parse().unwrap()).collect();
    (name, numbers.try_into().unwrap())
}

/// Trains in the size of the recipe, and writes how much memory that was expected to take, and how much it took.
fn measure(folder: &Path) {
    let kind = match fs::read_to_string(folder.join("kind")).unwrap().as_str() {
        "Transfer" => Kind::Transfer,
        _ => Kind::Baseline,
    };
    let epoch = PhaseConfig::new(1, 1, 1e-4);
    let size = Config { image_size: 224, batch_size: 32, views: 1, ..small() };
    let config = Config { head: epoch, fine_tune: epoch, baseline: epoch, ..size };
    let (project, splits) = flowers(folder, &config);
    let mut learner = Learner::in_run(&project, &splits, &config, kind, None).unwrap();
    let phases = match kind {
        Kind::Transfer => vec![Phase::head(&config), Phase::upper(&config)],
        Kind::Baseline => vec![Phase::baseline(&config)],
    };
    let mut estimated = 0;
    for phase in phases {
        let needs = Needs::of(learner.model(), phase.cut, &config, splits.train.samples.len()).unwrap();
        estimated = needs.memory_in_all().max(estimated);
        learner.fit_with(&phase, &mut |_| ControlFlow::Continue(())).unwrap();
    }
    let megabytes = estimated as f64 / f64::from(1 << 20);
    fs::write(folder.join("megabytes"), format!("{megabytes} {}", status("VmHWM"))).unwrap();
}

/// A third of the epochs each for the baseline, the head and the upper layers; a row an epoch says how much memory the process has.
fn train(folder: &Path, config: &Config, epochs: usize) {
    let phase = |share: usize, own: PhaseConfig| PhaseConfig { epochs: share, patience: epochs, ..own };
    let third = epochs / 3;
    let config = Config {
        baseline: phase(third, config.baseline),
        head: phase(third, config.head),
        fine_tune: phase(epochs - 2 * third, config.fine_tune),
        ..config.clone()
    };
    let (project, splits) = flowers(folder, &config);
    let mut table = String::new();
    let mut note = |event: &Event| {
        if let Event::Epoch { epoch, .. } = event {
            writeln!(table, "{},{:.1}", epoch.phase, status("VmRSS")).unwrap();
        }
        ControlFlow::Continue(())
    };
    let mut baseline = Learner::baseline(&project, &splits, &config).unwrap();
    baseline.fit_with(&Phase::baseline(&config), &mut note).unwrap();
    drop(baseline);
    let mut learner = Learner::new(&project, &splits, &config).unwrap();
    for phase in [Phase::head(&config), Phase::upper(&config)] {
        learner.fit_with(&phase, &mut note).unwrap();
    }
    fs::write(folder.join("memory.csv"), table).unwrap();
}

/// Memory of this process, in MB: `VmRSS` now, `VmHWM` at most.
fn status(key: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
