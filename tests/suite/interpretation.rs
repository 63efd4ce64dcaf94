//! Galleries and the cleaner: what a person decides about single photos reaches the split, and nothing is lost on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use petal::config::{Config, PhaseConfig, Source};
use petal::data::decisions::DECISIONS;
use petal::data::{Dataset, Decision, Decisions, Loader, Split, Splits};
use petal::eval::{Cleaner, Evaluation, Prediction};
use petal::learner::Learner;
use petal::pixels::{Rgb, encode_png};
use petal::project::{DeviceChoice, Project};
use petal::train::{Phase, held_out};
use petal::{ErrorKind, Seed, files};

use crate::support::small;

fn config(photos: &Path) -> Config {
    let head = PhaseConfig { epochs: 8, patience: 9, learning_rate: 1e-3 };
    Config { source: Source::Folder(photos.into()), head, ..small() }
}

/// A project, and beside it a folder of drawn flowers.
struct Flowers {
    _folder: tempfile::TempDir,
    photos: PathBuf,
    project: Project,
    config: Config,
}

impl Flowers {
    fn new(per_class: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let photos = folder.path().join("photos");
        petal::data::synthetic::draw(&photos, per_class, Seed(3)).unwrap();
        let project = Project::open_on(folder.path().join("project"), DeviceChoice::Cpu).unwrap();
        let config = config(&photos);
        Self { _folder: folder, photos, project, config }
    }

    fn split(&self) -> petal::Result<Splits> {
        Dataset::folder(&self.photos).unwrap().split(&self.project, &self.config)
    }

    fn decide(&self, decisions: &[(&str, Decision)]) {
        let row = |(name, decision): &(&str, Decision)| {
            let sha256 = files::sha256_file(&self.photos.join(name)).unwrap();
            (name.to_string(), sha256, decision.clone())
        };
        Decisions::add(&self.project.data, decisions.iter().map(row)).unwrap();
    }
}

/// Part and class of each photo, by the hash of its bytes.
fn places(splits: &Splits) -> BTreeMap<String, (Split, String)> {
    let mut places = BTreeMap::new();
    for split in Split::ALL {
        for sample in splits.get(split).samples.iter() {
            let place = (split, splits.classes[sample.target].clone());
            let twice = places.insert(files::sha256_file(&sample.path).unwrap(), place);
            assert_eq!(twice, None, "{} is there twice", sample.path.display());
        }
    }
    places
}

#[test]
fn a_split_honours_the_decisions_and_moves_nothing_else() {
    let flowers = Flowers::new(12);
    let before = flowers.split().unwrap();
    assert!(before.made_with.decided.sha256.is_empty());
    let places_before = places(&before);
    let photos: Vec<String> = files::sorted_dir(&flowers.photos.join("roses"))
        .unwrap()
        .iter()
        .map(|p| format!("roses/{}", p.file_name().unwrap().to_str().unwrap()))
        .collect();
    let to_tulips = Decision::Relabel("tulips".into());
    flowers.decide(&[(&photos[0], Decision::Drop), (&photos[1], to_tulips.clone()), (&photos[2], Decision::Keep)]);

    let after = flowers.split().unwrap();
    let hash = |name: &str| files::sha256_file(&flowers.photos.join(name)).unwrap();
    let mut expected = places_before.clone();
    expected.remove(&hash(&photos[0]));
    expected.get_mut(&hash(&photos[1])).unwrap().1 = "tulips".into();
    assert_eq!(places(&after), expected, "all others are where they were");
    assert_eq!(after.made_with.decided.dropped.keys().collect::<Vec<_>>(), [&photos[0]]);
    assert_eq!(after.made_with.decided.relabelled.keys().collect::<Vec<_>>(), [&photos[1]]);
    let text = after.text();
    for words in ["1 photo dropped, 1 relabelled", &photos[0], &format!("{} to tulips", photos[1])] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Nothing is lost: every photo still lies in its own folder.
    assert_eq!(Dataset::folder(&flowers.photos).unwrap().samples.len(), 60);

    // The same again changes nothing; opened, it says the same.
    let manifest = flowers.project.data.join("manifest.csv");
    let time = std::fs::metadata(&manifest).unwrap().modified().unwrap();
    let again = flowers.split().unwrap();
    assert_eq!(std::fs::metadata(&manifest).unwrap().modified().unwrap(), time);
    assert_eq!(
        (again.made_with.decided.clone(), again.train.sha256),
        (after.made_with.decided.clone(), after.train.sha256.clone())
    );
    assert_eq!(Splits::open(&flowers.project.data).unwrap().made_with.decided, after.made_with.decided);
    // A decision to keep is none that changes a split.
    flowers.decide(&[(&photos[3], Decision::Keep)]);
    flowers.split().unwrap();
    assert_eq!(std::fs::metadata(&manifest).unwrap().modified().unwrap(), time);

    // Without the decisions, the split is what it was, to the byte.
    std::fs::remove_file(flowers.project.data.join(DECISIONS)).unwrap();
    let undone = flowers.split().unwrap();
    for split in Split::ALL {
        assert_eq!(undone.get(split).sha256, before.get(split).sha256);
    }
    assert!(!undone.text().contains("relabelled"));
}

#[test]
fn a_relabelled_photo_takes_the_place_of_no_other() {
    let flowers = Flowers::new(12);
    // A photo of the same name in both classes, and one that has the name that it would get.
    for (from, name) in [("roses", "1.png"), ("tulips", "1.png"), ("tulips", "roses_1.png")] {
        let shade = name.len() as u8 * 17 + from.len() as u8;
        let data = (0..48 * 48 * 3).map(|i| ((i * i) as u8).wrapping_mul(shade)).collect();
        let photo = Rgb { width: 48, height: 48, data };
        std::fs::write(flowers.photos.join(from).join(name), encode_png(&photo).unwrap()).unwrap();
    }
    let before = places(&flowers.split().unwrap());
    flowers.decide(&[("roses/1.png", Decision::Relabel("tulips".into()))]);
    let after = flowers.split().unwrap();
    assert_eq!(after.made_with.decided.relabelled["roses/1.png"], "tulips/_roses_1.png");
    assert_eq!(places(&after).len(), before.len());
    assert!(flowers.split().unwrap().made_with.decided == after.made_with.decided, "found again as it is");
}

#[test]
fn decisions_that_cannot_be_honoured_are_told() {
    let flowers = Flowers::new(12);
    flowers.split().unwrap();
    let first = |class: &str| {
        let path = files::sorted_dir(&flowers.photos.join(class)).unwrap().remove(0);
        format!("{class}/{}", path.file_name().unwrap().to_str().unwrap())
    };
    // A photo that was replaced since, and one that is gone.
    let (replaced, gone) = (first("daisy"), first("tulips"));
    flowers.decide(&[(&replaced, Decision::Drop), (&gone, Decision::Drop)]);
    let photo = Rgb { width: 40, height: 40, data: (0..4800).map(|i| (i % 251) as u8).collect() };
    std::fs::write(flowers.photos.join(&replaced), encode_png(&photo).unwrap()).unwrap();
    std::fs::remove_file(flowers.photos.join(&gone)).unwrap();
    let dataset = Dataset::folder(&flowers.photos).unwrap();
    let splits = dataset.resplit(&flowers.project, &flowers.config).unwrap();
    assert_eq!(splits.made_with.decided.unused, [replaced.clone(), gone.clone()]);
    assert!(splits.made_with.decided.dropped.is_empty());
    assert!(splits.text().contains("2 decisions did nothing"), "{}", splits.text());
    std::fs::remove_file(flowers.project.data.join(DECISIONS)).unwrap();
    flowers.split().unwrap();

    // A class that does not exist; a part left without a class. The split that was there stays.
    let manifest = files::read(&flowers.project.data.join("manifest.csv")).unwrap();
    flowers.decide(&[(&replaced, Decision::Relabel("daisies".into()))]);
    let error = flowers.split().unwrap_err();
    assert!(error.kind() == ErrorKind::Dataset && error.what().contains("\"daisies\""), "{error}");
    flowers.decide(&[(&replaced, Decision::Keep)]);
    let all: Vec<String> = dataset
        .samples
        .iter()
        .filter(|s| s.target == 2)
        .map(|s| format!("roses/{}", s.path.file_name().unwrap().to_str().unwrap()))
        .collect();
    let drop_all: Vec<_> = all.iter().map(|name| (name.as_str(), Decision::Drop)).collect();
    flowers.decide(&drop_all);
    let error = flowers.split().unwrap_err();
    assert!(error.what().contains("class \"roses\" has no photo in train"), "{error}");
    assert_eq!(error.path().unwrap().file_name().unwrap(), DECISIONS);
    assert_eq!(files::read(&flowers.project.data.join("manifest.csv")).unwrap(), manifest);
    // A file that cannot be understood, too.
    std::fs::write(flowers.project.data.join(DECISIONS), "path,what\n").unwrap();
    assert!(flowers.split().unwrap_err().what().contains("line 1: "));
}

#[test]
fn a_pair_in_two_classes_is_no_conflict_once_it_is_decided() {
    let flowers = Flowers::new(12);
    let path = files::sorted_dir(&flowers.photos.join("roses")).unwrap().remove(4);
    let name = path.file_name().unwrap().to_str().unwrap();
    std::fs::copy(&path, flowers.photos.join("tulips").join(name)).unwrap();
    let splits = flowers.split().unwrap();
    assert_eq!((splits.made_with.conflicts.len(), splits.made_with.duplicates), (1, 1));
    // Both are the same bytes: the decision is about the one of this name.
    flowers.decide(&[(&format!("tulips/{name}"), Decision::Drop)]);
    let splits = flowers.split().unwrap();
    assert_eq!(
        (splits.made_with.conflicts.len(), splits.made_with.duplicates, splits.made_with.decided.dropped.len()),
        (0, 0, 1)
    );
    assert!(places(&splits)[&files::sha256_file(&path).unwrap()].1 == "roses");
}

/// Three photos of a split, with losses that a person can work out.
fn cleaner(flowers: &Flowers, splits: &Splits) -> Cleaner {
    let subset = &splits.val;
    let mut predictions = Vec::new();
    for (index, sample) in subset.samples.iter().enumerate().take(3) {
        // The first is told worst.
        let own = [0.1, 0.2, 0.9][index];
        let rest = (1.0 - own) / (splits.classes.len() - 1) as f32;
        let probabilities =
            (0..splits.classes.len()).map(|class| if class == sample.target { own } else { rest }).collect();
        predictions.push(Prediction { path: sample.path.clone(), target: Some(sample.target), probabilities });
    }
    predictions.reverse();
    let evaluation = Evaluation::new("m", splits.classes.clone(), predictions).unwrap();
    assert!(splits.root == flowers.project.data);
    Cleaner::new(splits, &[(Split::Val, evaluation)]).unwrap()
}

#[test]
fn the_cleaner_lists_by_loss_marks_by_number_and_writes_what_was_decided() {
    let flowers = Flowers::new(30);
    let splits = flowers.split().unwrap();
    let mut cleaner = cleaner(&flowers, &splits);
    let names: Vec<String> = cleaner.suspects.iter().map(|suspect| suspect.name.clone()).collect();
    let in_order: Vec<String> = splits
        .val
        .samples
        .iter()
        .take(3)
        .map(|s| {
            let class = &splits.classes[s.target];
            format!("{class}/{}", s.path.file_name().unwrap().to_str().unwrap())
        })
        .collect();
    assert_eq!(names, in_order, "the largest loss first");
    let class = splits.classes[cleaner.suspects[0].prediction.target.unwrap()].clone();
    let other = splits.classes.iter().find(|name| **name != class).unwrap().clone();

    // What is wrong marks nothing at all.
    for error in [
        cleaner.drop_photos(&[1, 0]).unwrap_err(),
        cleaner.keep(&[1, 4]).unwrap_err(),
        cleaner.relabel(&[1], "no class").unwrap_err(),
        cleaner.relabel(&[1], &class).unwrap_err(),
        cleaner.save().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(cleaner.marks().is_empty());
    }
    assert!(!flowers.project.data.join(DECISIONS).exists());

    cleaner.relabel(&[1], &other).unwrap();
    cleaner.drop_photos(&[2, 3]).unwrap();
    cleaner.unmark(&[3]).unwrap();
    cleaner.keep(&[3]).unwrap();
    let text = cleaner.text();
    for words in ["3 photos of val by m's loss", "3 marked", &format!("relabel to {other}"), "2.30", "show_from"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let saved = cleaner.save().unwrap();
    assert_eq!((saved.saved, saved.all), ([1, 1, 1], 3));
    assert!(saved.text().contains("saved: 3 decisions") && saved.text().contains("photos.split"), "{}", saved.text());

    let text = String::from_utf8(files::read(&flowers.project.data.join(DECISIONS)).unwrap()).unwrap();
    assert_eq!(text.lines().next(), Some("path,sha256,decision,class"));
    let sha256 = files::sha256_file(&flowers.photos.join(&names[0])).unwrap();
    assert!(text.contains(&format!("{},{sha256},relabel,{other}\n", names[0])), "{text}");

    // Before the split is made anew, what was kept is not asked about again; the others are.
    let listed = |cleaner: &Cleaner| cleaner.suspects.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    let second = self::cleaner(&flowers, &splits);
    assert_eq!((listed(&second), second.decided_before), (names[..2].to_vec(), 1));
    assert!(second.text().contains("1 photo was kept or relabelled before"), "{}", second.text());

    // After it, the relabelled photo is known by its name in the data set, and settled.
    let splits = flowers.split().unwrap();
    let moved = &splits.made_with.decided.relabelled[&names[0]];
    let sample = splits.val.samples.iter().find(|s| s.path.ends_with(moved)).unwrap();
    let mut probabilities = vec![0.0; 5];
    probabilities[0] = 1.0;
    let prediction = Prediction { path: sample.path.clone(), target: Some(sample.target), probabilities };
    let evaluation = Evaluation::new("m", splits.classes.clone(), vec![prediction]).unwrap();
    let third = Cleaner::new(&splits, &[(Split::Val, evaluation.clone())]).unwrap();
    assert_eq!((third.suspects.len(), third.decided_before), (0, 1));
    assert!(third.text().contains("the only photo was decided about before"), "{}", third.text());
    // An evaluation of another part is refused.
    assert_eq!(Cleaner::new(&splits, &[(Split::Train, evaluation)]).unwrap_err().kind(), ErrorKind::Dataset);
    assert_eq!(Cleaner::new(&splits, &[]).unwrap_err().kind(), ErrorKind::Config);
}

/// Four tulips under the sunflowers. By chance, their numbers would be 50 on average, with a standard deviation of 14.
#[test]
fn a_cleaner_finds_photos_that_were_put_into_the_wrong_class() {
    let mut flowers = Flowers::new(20);
    let mut wrong = BTreeSet::new();
    for path in files::sorted_dir(&flowers.photos.join("tulips")).unwrap().into_iter().take(4) {
        let name = path.file_name().unwrap().to_str().unwrap();
        std::fs::rename(&path, flowers.photos.join("sunflowers").join(name)).unwrap();
        wrong.insert(format!("sunflowers/{name}"));
    }
    (flowers.config.head.epochs, flowers.config.image_size) = (8, 128);
    let splits = flowers.split().unwrap();
    let mut learner = Learner::new(&flowers.project, &splits, &flowers.config).unwrap();
    assert_eq!(learner.cleaner(&[Split::Val]).unwrap_err().kind(), ErrorKind::Config, "not trained yet");
    learner.fit_with(&Phase::head(&flowers.config), &mut |_| ControlFlow::Continue(())).unwrap();
    let mut cleaner = learner.cleaner(&[Split::Test, Split::Train, Split::Val, Split::Train]).unwrap();
    assert_eq!((cleaner.suspects.len(), cleaner.parts.as_slice(), cleaner.held_out), (100, &Split::ALL[..], true));
    let numbers: Vec<usize> = (1..=100).filter(|n| wrong.contains(&cleaner.suspect(*n).unwrap().name)).collect();
    let mean = numbers.iter().sum::<usize>() as f64 / numbers.len() as f64;
    assert!(numbers.len() == 4 && mean < 25.0, "they are the numbers {numbers:?} of 100");
    // The same photos give the same list, with one thread, too.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| learner.cleaner(&Split::ALL)).unwrap().suspects, cleaner.suspects);

    // What they are decided to be is where they came from; then the split has them right.
    cleaner.relabel(&numbers, "tulips").unwrap();
    cleaner.save().unwrap();
    let splits = flowers.split().unwrap();
    assert_eq!(splits.made_with.decided.relabelled.keys().cloned().collect::<BTreeSet<_>>(), wrong);
    let other = Learner::new(&flowers.project, &splits, &flowers.config).unwrap();
    assert_ne!(other.run().folder, learner.run().folder, "other photos are another run");
}

/// Train photos with a wrong label, learned from and not: a head that never saw them is not taken in.
#[test]
fn held_out_heads_do_not_know_wrong_labels_by_heart() {
    let mut flowers = Flowers::new(20);
    (flowers.config.head.epochs, flowers.config.image_size) = (8, 128);
    let splits = flowers.split().unwrap();
    let learner = Learner::new(&flowers.project, &splits, &flowers.config).unwrap();
    let [sunflowers, tulips] =
        ["sunflowers", "tulips"].map(|name| splits.classes.iter().position(|c| c == name).unwrap());
    let mut subset = splits.train.clone();
    let mut samples = subset.samples.to_vec();
    let wrong: Vec<usize> = (0..samples.len()).filter(|&photo| samples[photo].target == tulips).step_by(4).collect();
    wrong.iter().for_each(|&photo| samples[photo].target = sunflowers);
    (subset.samples, subset.sha256) = (samples.into(), "with wrong labels".into());
    let own = learner.loader(Split::Train);
    let loader = Loader::new(&subset, *own.preprocess(), own.batch_size(), own.device());
    let before = head_weights(&learner);
    let cache = flowers.project.models.join("cache");
    let told = held_out(learner.model(), &loader, &flowers.config, &cache).unwrap();
    assert_eq!(head_weights(&learner), before, "the head is as it was");
    assert_eq!(told.len(), subset.samples.len());
    assert!(told.iter().all(|row| row.len() == 5 && (row.iter().sum::<f32>() - 1.0).abs() < 1e-4));
    let uncached = Config { cache: false, ..flowers.config.clone() };
    assert_eq!(held_out(learner.model(), &loader, &uncached, &cache).unwrap(), told);
    let seen_through = wrong.iter().filter(|&&photo| told[photo][tulips] > told[photo][sunflowers]).count();
    assert!(
        wrong.len() == 4 && seen_through >= 3,
        "{seen_through} of {}: {:?}",
        wrong.len(),
        wrong.iter().map(|&photo| &told[photo]).collect::<Vec<_>>()
    );
}

/// The head's last weights.
fn head_weights(learner: &Learner) -> Vec<f32> {
    let params = learner.model().params();
    let (_, last) = params.iter().filter(|(name, _)| name.starts_with("head.")).last().unwrap();
    last.var.flatten_all().unwrap().to_vec1().unwrap()
}

/// An evaluation of photos drawn here: of 6 photos a class, the first two of each are taken for the next class.
fn evaluation(folder: &Path) -> Evaluation {
    let classes: Arc<[String]> = ["daisy", "roses", "tulips"].map(String::from).to_vec().into();
    let mut predictions = Vec::new();
    for index in 0..18 {
        let (target, nth) = (index / 6, index % 6);
        let predicted = if nth < 2 { (target + 1) % 3 } else { target };
        let photo = Rgb { width: 60, height: 40, data: vec![(index * 12) as u8; 60 * 40 * 3] };
        let path = folder.join(format!("{index:02}.png"));
        std::fs::write(&path, encode_png(&photo).unwrap()).unwrap();
        let sure = 0.5 + 0.02 * index as f32;
        let probabilities = (0..3).map(|class| if class == predicted { sure } else { (1.0 - sure) / 2.0 }).collect();
        predictions.push(Prediction { path, target: Some(target), probabilities });
    }
    Evaluation::new("resnet50", classes, predictions).unwrap()
}

#[test]
fn results_are_spread_evenly_and_the_most_confused_are_shown_with_their_photos() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = evaluation(folder.path());
    // The middles of six stretches of three: photos 1, 4, 7, 10, 13, 16; the second of each class's first two is wrong.
    let text = evaluation.show_results(6).unwrap().text();
    assert!(text.contains("6 of 18 photos"), "{text}");
    assert_eq!(text.matches("right").count(), 3, "{text}");
    assert_eq!(evaluation.show_results(100).unwrap().text().matches(" %").count(), 18, "no more than there are");

    let view = evaluation.most_confused(2).unwrap();
    let text = view.text();
    for words in ["3 pairs of classes mixed up", "daisy taken for roses: 2", "roses taken for tulips: 2", "33.3 %"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("tulips taken for daisy: 2"), "{text}");
    // The surest mistake first: photo 1 is told with 52 %, photo 0 with 50 %.
    assert!(text.find("roses 52 %") < text.find("roses 50 %"), "{text}");
    let right = evaluation.predictions.iter().filter(|p| p.is_right() == Some(true)).cloned().collect();
    let perfect = Evaluation::new("m", evaluation.classes.clone(), right).unwrap();
    assert!(perfect.most_confused(3).unwrap().text().contains("no class was taken for another"));
}

/// `scipy.stats.binomtest(4, 6).proportion_ci(method="wilson")` is 0.2999 to 0.9032.
#[test]
fn the_report_by_class_says_how_sure_it_is_and_what_is_mistaken() {
    let folder = tempfile::tempdir().unwrap();
    let text = evaluation(folder.path()).per_class().unwrap().text();
    let daisy = text.lines().find(|line| line.starts_with("daisy")).unwrap();
    for words in ["0.667", "0.30–0.90", "6", "roses (2)"] {
        assert!(daisy.contains(words), "{words}: {daisy}");
    }
    let text = evaluation(folder.path()).text();
    // Three classes of six: guessing is right on a third; knowing nothing costs ln 3.
    assert!(
        text.contains("33.3 % (always the largest class)") && text.contains("knowing nothing gives 1.0986"),
        "{text}"
    );
}
