//! What an evaluation tells a person: the cleaner's list of photos, galleries, the report by class.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use petal::config::Config;
use petal::data::decisions::DECISIONS;
use petal::data::{Loader, Split, Splits};
use petal::eval::{Cleaner, Evaluation, Prediction};
use petal::learner::Learner;
use petal::pixels::{Rgb, encode_png};
use petal::train::{Phase, folds};
use petal::{ErrorKind, Unheard, files};

use crate::decisions::Flowers;

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
        predictions.push(Prediction::new(&sample.path, Some(sample.target), probabilities));
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
    let cleaner = cleaner(&flowers, &splits);
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
    let prediction = Prediction::new(&sample.path, Some(sample.target), probabilities);
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
    let cleaner = learner.cleaner(&[Split::Test, Split::Train, Split::Val, Split::Train]).unwrap();
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
    let alone: Vec<usize> = (0..subset.samples.len()).collect();
    let tell = |config: &Config| {
        folds::cross_validate(learner.model(), &[&loader], &alone, 5, config, &cache, &mut Unheard).unwrap().told
    };
    let told = tell(&flowers.config);
    assert_eq!(head_weights(&learner), before, "the head is as it was");
    assert_eq!(told.len(), subset.samples.len());
    assert!(told.iter().all(|row| row.len() == 5 && (row.iter().sum::<f64>() - 1.0).abs() < 1e-9));
    let uncached = Config { cache: false, ..flowers.config.clone() };
    assert_eq!(tell(&uncached), told);
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
        predictions.push(Prediction::new(path, Some(target), probabilities));
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
