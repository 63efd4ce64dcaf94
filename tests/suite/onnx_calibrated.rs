//! What a model knows of its temperature goes into the ONNX file that it is exported as.

use petal::config::{Backbone, TestConfig};
use petal::eval::calibration::temperature::tempered;
use petal::export::onnx::{Options, Pixels, Reference, to_bytes};
use petal::export::trust::belonging;
use petal::models::{Kept, Temperature, Trust};
use serde_json::{Value, json};

use crate::onnx::{TOLERANCE, by_formula, picture, read, run, transfer};

#[test]
fn probabilities_are_calibrated_where_the_model_is() {
    let (model, mut info) = by_formula(&transfer(Backbone::EfficientnetLite0), 64);
    let value = 2.5;
    let temperature =
        Temperature { value, fitted: value, low: 2.0, high: 3.0, photos: 50, loss_raw: 1.0, loss_out_of_fold: 0.9 };
    let trust = Trust {
        weights: String::new(),
        described: String::new(),
        test: TestConfig::default(),
        temperature,
        lac: vec![Kept::default(); info.classes.len()],
        aps: vec![Kept::default(); info.classes.len()],
        distances: None,
        energies: Kept::default(),
        bank: None,
    };
    info.trust = Some(belonging(trust, &model, &info).unwrap());
    let options = Options::default();
    let differs = |divided_by: f64, info: &_| {
        let (logits, probabilities) = run(&read(&model, info, &options), &[picture(0, 64)], Pixels::U8);
        let expected = tempered(&logits, divided_by);
        let reference = Reference::new(&model, info, String::new(), &options).unwrap();
        let told = tempered(&reference.logits, divided_by);
        let apart = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        apart(&probabilities, &expected).max(apart(&reference.probabilities, &told))
    };
    assert!(differs(value, &info) < TOLERANCE && differs(1.0, &info) > 0.01);
    // Nineteen photos are enough for 95 % of them, and none is for nothing.
    let thresholds = |info: &_| -> Option<Value> {
        let file = to_bytes(&model, info, "", &options).unwrap();
        let text = String::from_utf8_lossy(&file);
        // The key, then the value with a byte or two for its length.
        let (_, rest) = text.split_once("thresholds\u{12}")?;
        let (from, to) = (rest.find('{')?, rest.find('}')?);
        Some(serde_json::from_str::<Value>(&rest[from..=to]).unwrap())
    };
    let mut measured = info.clone();
    let trust = measured.trust.as_mut().unwrap();
    trust.lac[0] = Kept::of((0..19).map(|i| i as f32 / 32.0).collect(), 100);
    trust.energies = Kept::of((0..19).map(|i| i as f32 - 20.0).collect(), 100);
    let told = json!({ "coverage": 0.95, "least_probability": 0.4375, "false_alarms": 0.05, "most_energy": -2.0 });
    assert_eq!(thresholds(&measured), Some(told));
    assert!(thresholds(&info).unwrap()["least_probability"].is_null());
    // Measured with other class names, or asked in another way, it says nothing of these.
    let mut renamed = info.clone();
    renamed.classes[0] = "another".into();
    let mut asked = info.clone();
    asked.test.size = 96;
    assert_eq!((thresholds(&renamed), thresholds(&asked)), (None, None));
    assert!(differs(1.0, &renamed) < TOLERANCE);
    let raw = Reference::new(&model, &asked, String::new(), &options).unwrap();
    assert!((raw.probabilities[0] - tempered(&raw.logits, 1.0)[0]).abs() < 1e-6);
}
