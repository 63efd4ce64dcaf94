//! Preprocessing against timm, torchvision and Pillow (tests/fixtures/preprocess.py), for both sets of weights.

use petal::config::Backbone;
use petal::models::registry;
use petal::pixels::Rgb;
use safetensors::SafeTensors;

use crate::formulas::fixture_bytes;

/// Slanted waves with hard edges, and noise; the same in tests/fixtures/preprocess.py.
fn picture(width: usize, height: usize) -> Rgb {
    let mut data = Vec::with_capacity(width * height * 3);
    for i in 0..width * height * 3 {
        let (x, y, c) = (i / 3 % width, i / 3 / width, i % 3);
        let wave = (x * (2 + c) + y * (5 - c)) % 256;
        let noise = (i as u32).wrapping_mul(2_654_435_761) >> 26;
        data.push(((wave * 3 + noise as usize * 4) / 4) as u8);
    }
    Rgb { width, height, data }
}

/// Every `step`th pixel of a square, down and across.
fn sample<T: Copy>(square: &[T], side: usize, step: usize) -> Vec<T> {
    let places = (0..side).step_by(step).flat_map(|y| (0..side).step_by(step).map(move |x| (y * side + x) * 3));
    places.flat_map(|place| square[place..place + 3].to_vec()).collect()
}

/// Bilinear differs by a level here and there. Bicubic overshoots at hard edges, of which there are many here, and is cut to 0..255
/// after each of its two passes: Pillow goes across first, ours down first, as the same in Pillow with its passes swapped shows
/// (a quarter of a level on average, 13 at most).
#[test]
fn photos_are_cropped_as_pillow_does_within_half_a_grey_level() {
    let bytes = fixture_bytes("preprocess");
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let mut cases = 0;
    for (weights, backbone) in [("resnet50", Backbone::Resnet50), ("lite0", Backbone::EfficientnetLite0)] {
        let preprocess = registry::weights(backbone).preprocess;
        for name in expected.names() {
            let Some((width, height)) = name.strip_prefix(weights).and_then(|rest| rest[1..].split_once('x')) else {
                continue;
            };
            let photo = picture(width.parse().unwrap(), height.parse().unwrap());
            let crop = preprocess.square(&photo).unwrap();
            assert_eq!((crop.width, crop.height), (224, 224));
            let got = sample(&crop.data, 224, 5);
            let expected = expected.tensor(name).unwrap().data();
            assert_eq!(got.len(), expected.len());
            let off = got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
            let (mean, most) = (off.clone().map(f64::from).sum::<f64>() / got.len() as f64, off.max().unwrap());
            println!("{name}: {mean:.3} grey levels on average, at most {most}");
            assert!(mean < 0.5, "{name}: {mean} grey levels on average");
            assert!(most <= if weights == "lite0" { 13 } else { 1 }, "{name}: {most} grey levels");
            cases += 1;
        }
    }
    assert_eq!(cases, 14);
}

/// The very grey levels that timm normalized, so that only rounding is left.
#[test]
fn crops_are_normalized_as_by_timm() {
    let bytes = fixture_bytes("preprocess");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for (weights, backbone) in [("resnet50", Backbone::Resnet50), ("lite0", Backbone::EfficientnetLite0)] {
        let kept = file.tensor(&format!("{weights}.500x333")).unwrap();
        let kept = Rgb { width: 45, height: 45, data: kept.data().to_vec() };
        let got = sample(&registry::weights(backbone).preprocess.normalize(&kept), 45, 5);
        let expected = file.tensor(&format!("{weights}.normalized")).unwrap();
        let expected: Vec<f32> = expected.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-6, "{weights}: {got} {expected}");
        }
    }
}
