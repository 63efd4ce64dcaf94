//! What is shown: figures have ink where they should, names are escaped, text and HTML say the same.

use std::sync::Arc;

use petal::config::{Config, Source};
use petal::data::Dataset;
use petal::eval::{Evaluation, Prediction};
use petal::learner::Learner;
use petal::pixels::{Rgb, encode_png};
use petal::project::{DeviceChoice, Project};
use petal::report::Figure;
use petal::train::{Epoch, History};

const NASTY: &str = "<img src=x onerror=alert(1)>";

/// Pixels of a figure, as a viewer would see them.
fn pixels(figure: &Figure) -> Rgb {
    petal::pixels::decode(figure.png(), &Default::default()).unwrap()
}

/// How many pixels have about this colour.
fn count(picture: &Rgb, [r, g, b]: [u8; 3]) -> usize {
    let near = |p: &&[u8]| p[0].abs_diff(r) < 8 && p[1].abs_diff(g) < 8 && p[2].abs_diff(b) < 8;
    picture.data.chunks_exact(3).filter(near).count()
}

/// An evaluation of `classes` with photos drawn here, of which one in four is taken for the next class.
fn evaluation(folder: &std::path::Path, classes: &[&str]) -> Evaluation {
    let names: Arc<[String]> = classes.iter().map(ToString::to_string).collect::<Vec<_>>().into();
    let mut predictions = Vec::new();
    for index in 0..classes.len() * 8 {
        let target = index % classes.len();
        let predicted = if index % 4 == 0 { (target + 1) % classes.len() } else { target };
        let shade = (index * 7 % 200) as u8;
        let photo = Rgb { width: 60, height: 40, data: vec![shade; 60 * 40 * 3] };
        let path = folder.join(format!("{index:03}.png"));
        std::fs::write(&path, encode_png(&photo).unwrap()).unwrap();
        let rest = 0.4 / (classes.len() - 1) as f32;
        let probabilities = (0..classes.len()).map(|class| if class == predicted { 0.6 } else { rest }).collect();
        predictions.push(Prediction::new(path, Some(target), probabilities));
    }
    Evaluation::new("resnet50", names, predictions).unwrap()
}

fn history(phases: &[(&str, usize)]) -> History {
    let mut history = History::default();
    for (phase, epochs) in phases {
        for _ in 0..*epochs {
            let number = history.epochs.len() + 1;
            history.epochs.push(Epoch {
                phase: (*phase).into(),
                epoch: number,
                learning_rate: 1e-3,
                train_loss: 1.5 / number as f64,
                train_accuracy: 1.0 - 0.6 / number as f64,
                val_loss: 1.4 / number as f64 + 0.1,
                val_accuracy: 0.95 - 0.5 / number as f64,
                best: true,
                seconds: 1.25,
            });
        }
    }
    history
}

#[test]
fn the_confusion_matrix_is_darkest_on_its_diagonal() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = evaluation(folder.path(), &["daisy", "roses", "tulips"]);
    let figure = evaluation.confusion_matrix().unwrap();
    assert!(figure.text().contains("18 of 24"), "{}", figure.text());
    let picture = pixels(&figure);
    let (width, height) = figure.size();
    // Twice as many pixels as it is shown in.
    assert_eq!((picture.width, picture.height), (2 * width, 2 * height));
    assert!(figure.html().contains(&format!("width=\"{width}\"")), "and the page says so");
    // The three cells of the diagonal share one blue, three others a lighter one, the last three are near white.
    let shade = |share: f64| {
        let mix = |from: f64, to: f64| (from + (to - from) * share.sqrt()) as u8;
        [mix(246.0, 8.0), mix(249.0, 69.0), mix(253.0, 148.0)]
    };
    let cell = 200 * 200;
    for share in [0.75, 0.25, 0.0] {
        assert!(count(&picture, shade(share)) > 2 * cell, "share {share}: {}", count(&picture, shade(share)));
    }
}

#[test]
fn many_classes_and_long_names_still_fit() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..40).map(|i| format!("a rather long class name, number {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let figure = evaluation(folder.path(), &names).confusion_matrix().unwrap();
    let (width, height) = figure.size();
    assert!(width < 1300 && height < 1300, "{width} × {height}");
    // Nothing is written over the edge: the outermost pixels are white.
    let picture = pixels(&figure);
    let row = |y: usize| &picture.data[y * picture.width * 3..][..picture.width * 3];
    assert!(row(0).iter().chain(row(picture.height - 1)).all(|value| *value == 255));
}

#[test]
fn curves_show_both_lines_and_the_phase_boundary() {
    let figure = history(&[("head", 6), ("fine-tune", 4)]).curves().unwrap();
    let picture = pixels(&figure);
    assert!(count(&picture, [0, 114, 178]) > 500, "training");
    assert!(count(&picture, [213, 94, 0]) > 500, "validation");
    assert!(count(&picture, [110, 110, 110]) > 200, "boundary and axes");
    assert!(history(&[]).curves().unwrap_err().to_string().contains("no epoch"));
    // The learning rate stands below, where it is a curve; it is another where a schedule is another.
    let below = |history: &History| pixels(&history.curves().unwrap()).data.split_off(figure.size().0 * 2 * 800 * 3);
    let mut falling = history(&[("head", 6), ("fine-tune", 4)]);
    falling.epochs.iter_mut().rev().zip(1..).for_each(|(epoch, rate)| epoch.learning_rate = 1e-5 * f64::from(rate));
    assert_ne!(below(&falling), below(&history(&[("head", 6), ("fine-tune", 4)])));
    assert_eq!(figure.size().1, 540);
    // One epoch, and losses that are not finite, can be drawn too.
    assert_eq!(history(&[("head", 1)]).curves().unwrap().size().1, 400);
    let mut diverged = history(&[("head", 3)]);
    diverged.epochs[2].val_loss = f64::NAN;
    diverged.curves().unwrap();
    assert!(diverged.text().contains('–'), "{}", diverged.text());
}

#[test]
fn galleries_mark_right_and_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = evaluation(folder.path(), &["daisy", "roses", "tulips"]);
    let picture = pixels(&evaluation.gallery("photos", &evaluation.examples(6)).unwrap());
    assert!(count(&picture, [0, 114, 178]) > 1000 && count(&picture, [213, 94, 0]) > 1000);
    let worst = pixels(&evaluation.top_losses(4).unwrap());
    assert!(count(&worst, [0, 114, 178]) < 50, "the largest losses are all wrong");
    assert!(evaluation.gallery("none", &[]).is_err());
}

#[test]
fn class_names_are_escaped_wherever_they_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = evaluation(folder.path(), &[NASTY, "EVCXR_BEGIN_CONTENT text/html", "plain"]);
    let comparison = petal::eval::compare(&[&evaluation, &evaluation]).unwrap();
    let shown = [
        evaluation.html(),
        evaluation.per_class().unwrap().html(),
        comparison.html(),
        petal::report::predicted(&evaluation.predictions[0], &evaluation.classes).html(),
        evaluation.top_losses(3).unwrap().html(),
    ];
    for html in shown {
        assert!(!html.contains("<img src=x") && !html.contains("<script"), "{html}");
        assert!(!html.contains("EVCXR_BEGIN"), "{html}");
    }
    assert!(evaluation.per_class().unwrap().html().contains("&lt;img src=x"));
}

#[test]
fn the_report_says_what_the_numbers_are() {
    let folder = tempfile::tempdir().unwrap();
    let text = evaluation(folder.path(), &["daisy", "roses", "tulips"]).text();
    // 18 of 24: Wilson's interval is 55.1 to 88.0 % (scipy).
    for words in ["24 photos", "75.0 % (95 % interval 55.1 to 88.0 %)", "most confused"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_project_shows_itself_from_settings_to_splits() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open_on(folder.path(), DeviceChoice::Cpu).unwrap();
    let config = Config { source: Source::Synthetic { per_class: 10 }, ..Config::demo() };
    let dataset = Dataset::fetch(&project, &config).unwrap();
    let splits = dataset.split(&project, &config).unwrap();
    let verified = dataset.verify().unwrap();
    for (shown, words) in [
        (project.text(), vec!["CPU", "memory", "free"]),
        (config.text(), vec!["efficientnet-lite0", "Apache-2.0", "80 % train", "learning rate 1e-3"]),
        (dataset.text(), vec!["50 photos of 5 classes", "tulips"]),
        (verified.text(), vec!["all 50 photos can be read"]),
        (splits.text(), vec!["train", "test", "no photo was left out"]),
    ] {
        words.iter().for_each(|word| assert!(shown.contains(word), "{word}: {shown}"));
    }
    let shown = Learner::new(&project, &splits, &config).unwrap().show_batch(8).unwrap();
    assert!(shown.size().0 <= 1000, "as wide as Jupyter shows it");
}

#[test]
fn a_history_says_how_to_go_on() {
    let ended = |phase: &str| vec![(phase.to_string(), "all epochs done".to_string())];
    let mut good = history(&[("head", 6)]);
    assert!(good.advice().is_empty(), "it is not over: {:?}", good.advice());
    good.ended = ended("head");
    assert!(good.text().contains("the last epoch was the best: more epochs in phase head"), "{}", good.text());

    let mut worse = history(&[("head", 3), ("fine-tune", 3)]);
    worse.epochs[3..].iter_mut().for_each(|epoch| epoch.best = false);
    worse.ended = ended("fine-tune");
    assert!(worse.text().contains("no epoch of phase fine-tune was better than epoch 3"), "{}", worse.text());

    let mut learned_by_heart = history(&[("head", 4)]);
    (learned_by_heart.epochs[3].train_loss, learned_by_heart.epochs[3].train_accuracy) = (0.01, 1.0);
    assert!(learned_by_heart.text().contains("(100.0 % and 82.5 %)"), "{}", learned_by_heart.text());

    let mut diverged = history(&[("head", 2)]);
    (diverged.epochs[1].val_loss, diverged.epochs[1].best) = (f64::NAN, false);
    assert!(diverged.text().contains("lower the learning rate"), "{}", diverged.text());
}

#[test]
fn a_data_set_shows_a_photo_of_each_class_and_says_when_they_are_uneven() {
    let folder = tempfile::tempdir().unwrap();
    for (class, photos) in [("cats", 2), ("dogs", 8)] {
        std::fs::create_dir_all(folder.path().join(class)).unwrap();
        for index in 0..photos {
            let photo = Rgb { width: 30 + index, height: 20, data: vec![(40 * photos) as u8; (30 + index) * 20 * 3] };
            std::fs::write(folder.path().join(class).join(format!("{index}.png")), encode_png(&photo).unwrap())
                .unwrap();
        }
    }
    // The first photo cannot be read: the next one is shown, and the verification names it, without quotes.
    let whole = std::fs::read(folder.path().join("cats/0.png")).unwrap();
    std::fs::write(folder.path().join("cats/0.png"), &whole[..whole.len() / 2]).unwrap();
    let dataset = Dataset::folder(folder.path()).unwrap();
    let text = dataset.text();
    for words in [
        "10 photos of 2 classes",
        "80.0 %",
        "the classes are uneven: dogs has 8 photos, cats 2. A model that always says dogs is right for 80.0 %",
        "A photo of each class: cats; dogs",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let verified = dataset.verify().unwrap();
    assert!(verified.text().contains("\ncats/0.png  "), "{}", verified.text());
}

#[test]
fn predictions_of_a_folder_are_counted_and_what_is_no_photo_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let evaluation = evaluation(folder.path(), &[NASTY, "roses", "tulips"]);
    let error = petal::Error::new(petal::ErrorKind::Image, "this is text, not a picture");
    let unreadable = [petal::eval::predict::Unreadable { path: folder.path().join("<notes>.txt"), error }];
    let view = petal::report::all_predicted(&evaluation.predictions, &unreadable, &evaluation.classes);
    let text = view.text();
    for words in ["24 photos predicted", "60.0 %", "The least sure ones", "this is text", "<notes>.txt"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let html = view.html();
    assert!(html.contains("&lt;notes&gt;.txt") && !html.contains("<img src=x"), "{html}");
    let none = petal::report::all_predicted(&[], &unreadable, &evaluation.classes).text();
    assert!(none.contains("0 photos predicted") && !none.contains("picture:"), "{none}");
}

#[test]
fn a_page_is_one_document_that_can_run_nothing() {
    let view = petal::report::View::new("run <b>").line("{title} {body}").section("Training");
    let page = view.page("run <script>");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    for words in
        ["<title>run &lt;script&gt;</title>", "default-src 'none'", "prefers-color-scheme: dark", "<h3>Training</h3>"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh\""), "{page}");
    assert_eq!(page.matches("<title>").count(), 1);
}
