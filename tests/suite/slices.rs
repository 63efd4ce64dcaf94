//! Accuracy by slice: the weakest is named where it is shown to be weaker, and only there.

use std::path::PathBuf;

use petal::data::Facts;
use petal::eval::{Evaluation, Prediction, Slices};
use petal::pixels::{Format, Look, Origin};
use petal::{Purpose, Seed};

/// Photos of two classes; light, size and camera are drawn; `is_right` says of a photo of this grey level whether it is told.
fn sliced(count: usize, seed: u64, is_right: impl Fn(f64, f64) -> bool) -> Slices {
    let mut stream = Seed(seed).stream(Purpose::Synthetic, 90, 0);
    let (mut predictions, mut facts) = (Vec::new(), Vec::new());
    for photo in 0..count {
        let (light, chance) = (stream.range(20.0, 220.0), stream.uniform());
        let target = photo % 2;
        let told = if is_right(light, chance) { target } else { 1 - target };
        let probabilities = (0..2).map(|class| if class == told { 0.8 } else { 0.2 }).collect();
        predictions.push(Prediction {
            path: PathBuf::from(format!("{photo}.jpg")),
            target: Some(target),
            probabilities,
            judgement: None,
        });
        let look = Look {
            sharpness: 100.0,
            lightness: light,
            darkest: 0.0,
            lightest: 255.0,
            entropy: 7.0,
            border: [0.0; 3],
            border_spread: 1.0,
        };
        let camera = ["one", "other"][stream.below(2)].to_string();
        let origin = Origin { format: Format::Jpeg, quality: None, camera: Some(camera), taken: None };
        facts.push(Facts { size: (100 + stream.below(400), 200), bytes: 1000, look, origin });
    }
    let evaluation = Evaluation::new("m", vec!["a".to_string(), "b".into()].into(), predictions).unwrap();
    Slices::new(&evaluation, &facts)
}

#[test]
fn f94_the_weakest_slice_is_named_only_where_it_is_shown() {
    // Dark photos are told badly: that slice is the weakest.
    let slices = sliced(400, 1, |light, chance| chance < if light < 70.0 { 0.6 } else { 0.95 });
    let weakest = slices.weakest().unwrap();
    assert_eq!((weakest.by.as_str(), weakest.photos), ("light", 100));
    assert!(weakest.name.starts_with("grey level 2"), "{}", weakest.name);
    assert!(weakest.accuracy.high < weakest.elsewhere && weakest.p_value.unwrap() < 1e-6);
    let said = slices.view().text();
    assert!(said.contains("weakest: light grey level") && said.contains("weaker"), "{said}");
    // Each photo is in one slice of each kind.
    for by in ["class", "light", "size", "camera"] {
        let photos = slices.slices.iter().filter(|slice| slice.by == by).map(|slice| slice.photos).sum::<usize>();
        assert_eq!(photos, 400, "{by}");
    }
    assert!(slices.slices.iter().all(|slice| slice.by != "format"), "all are of one");

    // Where all photos are told alike, at most one seed in twenty would name one; of 60, none to seven.
    let named = (0..60).filter(|seed| sliced(200, *seed, |_, chance| chance < 0.9).weakest().is_some()).count();
    assert!(named <= 7, "{named} of 60");

    // Few photos show nothing, and are said to be few.
    let few = sliced(16, 3, |light, _| light > 70.0);
    assert!(few.weakest().is_none());
    assert!(few.view().text().contains("too few"), "{}", few.view().text());
    assert!(few.slices.iter().filter(|slice| slice.photos < 10).all(|slice| slice.p_value.is_none()));
}
