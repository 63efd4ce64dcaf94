//! F55: figures of too little, too much, and what is not a number.

use std::sync::Arc;

use petal::ErrorKind;
use petal::eval::{Evaluation, Prediction};
use petal::report::Figure;
use petal::train::{Epoch, History};

/// A history with these losses; accuracies go with them.
fn history(losses: &[f64]) -> History {
    let epoch = |(index, &loss): (usize, &f64)| Epoch {
        phase: if index < 2 { "head".into() } else { "fine-tune".into() },
        epoch: index + 1,
        learning_rate: 1e-3,
        train_loss: loss,
        train_accuracy: loss / 10.0,
        val_loss: loss,
        val_accuracy: loss / 10.0,
        best: index == 0,
        seconds: 1.0,
    };
    History { epochs: losses.iter().enumerate().map(epoch).collect(), ended: Vec::new() }
}

/// An evaluation of as many photos as classes, the last of them wrong.
fn evaluation(names: Vec<String>) -> Evaluation {
    let classes: Arc<[String]> = names.into();
    let count = classes.len();
    let predictions = (0..count).map(|target| {
        let predicted = if target + 1 == count { 0 } else { target };
        let probabilities = (0..count).map(|class| f32::from(u8::from(class == predicted))).collect();
        Prediction::new(format!("{target}.jpg"), Some(target), probabilities)
    });
    let predictions = predictions.collect();
    Evaluation::new("resnet50", classes, predictions).unwrap()
}

/// Whether something is drawn, within a size that can be shown.
fn is_drawn(figure: &Figure) -> bool {
    let picture = petal::pixels::decode(figure.png(), &Default::default()).unwrap();
    let first = &picture.data[..3];
    let inked = picture.data.chunks_exact(3).filter(|pixel| *pixel != first).count();
    inked > 1000 && picture.width <= 6000 && picture.height <= 6000
}

#[test]
fn f55_curves_of_nothing_of_one_epoch_and_of_numbers_that_are_none() {
    let error = history(&[]).curves().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Render);
    assert!(error.how_to_mend().unwrap().contains("fit cell"), "{error}");
    assert!(history(&[]).html().contains("no epoch was trained yet"));

    let (nan, infinite) = (f64::NAN, f64::INFINITY);
    for losses in [
        &[0.5][..],
        &[0.0],
        &[nan],
        &[nan, nan, nan],
        &[infinite, -infinite],
        &[1.0, nan, 0.5],
        &[1e300, 1e-300, 0.0],
        &[f64::MAX, f64::MAX],
        &[-1.0, -2.0],
        &[1.0; 1000],
    ] {
        let history = history(losses);
        let figure = history.curves().unwrap_or_else(|error| panic!("{losses:?}: {error}"));
        assert!(is_drawn(&figure), "{losses:?}");
        assert!(!history.text().is_empty() && !history.html().is_empty());
    }
}

#[test]
fn f55_a_hundred_classes_and_names_of_any_kind_are_drawn() {
    let long = |index: usize| format!("{index:02} {}", "very ".repeat(16));
    let kinds = [
        (0..100).map(long).collect::<Vec<_>>(),
        ["", " ", "<script>alert(1)</script>"].map(String::from).into(),
        ["Tülpen 🌷🌷🌷", "ورد", "薔薇", "a\nb\tc\u{7}"].map(String::from).into(),
        ["x".repeat(10_000), "y".into()].into(),
        vec!["one".into()],
    ];
    for names in kinds {
        let shown = format!("{:.60?}", names);
        let evaluation = evaluation(names);
        let figure = evaluation.confusion_matrix().unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert!(is_drawn(&figure), "{shown}: {:?}", figure.size());
        let html = evaluation.html();
        assert!(!html.contains("<script") && !evaluation.per_class().unwrap().html().contains("<script"), "{shown}");
    }
    // A thousand: a picture of bounded size, in which only shades are left.
    let figure = evaluation((0..1000).map(|class| format!("class {class}")).collect()).confusion_matrix().unwrap();
    assert!(is_drawn(&figure) && figure.size().0 < 2300 && figure.size().1 < 2300, "{:?}", figure.size());
}
