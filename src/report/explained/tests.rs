//! A page stays below its bound, and says what is not on it.

use candle_core::Device;

use super::*;
use crate::base::config::{Fit, TestConfig};
use crate::base::files;
use crate::base::seed::Seed;
use crate::base::work::Unheard;
use crate::explain::GradCam;
use crate::models::Architecture;
use crate::pixels::{Filter, Preprocess, encode_png};

#[test]
fn photos_beyond_the_bound_are_listed_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let photo = Rgb { width: 38, height: 38, data: (0..38 * 38 * 3).map(|i| (i * 7 % 256) as u8).collect() };
    let mut predictions = Vec::new();
    for number in 0..40 {
        let path = folder.path().join(format!("{number:02}.png"));
        files::write_bytes(&path, &encode_png(&photo).unwrap()).unwrap();
        let target = (number % 2 == 0).then_some(0);
        predictions.push(Prediction { path, target, probabilities: vec![0.8, 0.2], judgement: None });
    }
    // Gone since it was predicted.
    std::fs::remove_file(&predictions[0].path).unwrap();
    let architecture = Architecture::Baseline { classes: 2, image_size: 38 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let info = ModelInfo {
        architecture,
        classes: ["a", "<b>"].map(String::from).to_vec(),
        preprocess: Preprocess {
            size: 38,
            crop: 1.0,
            fit: Fit::Crop,
            filter: Filter::Bilinear,
            mean: [0.5; 3],
            std: [0.5; 3],
        },
        test: TestConfig::default(),
        precision: Default::default(),
        backbone_weights: None,
        metrics: Default::default(),
        run: None,
        trust: None,
    };
    let what = ToExplain {
        method: &GradCam,
        model: &model,
        info: &info,
        predictions: &predictions,
        unreadable: &[],
        hidden: 0,
        class: Some(1),
        check: None,
    };
    let page = explained_within(&what, 1, &mut Unheard).unwrap();
    // The first batch is shown; by then the bound is passed.
    let [shown, listed, gone] = page.photos;
    assert_eq!((shown + listed + gone, gone, listed), (40, 1, 40 - BATCH));
    assert!(page.page().contains("Without pictures") && page.page().contains("The map is for &lt;b&gt;"));
    assert_eq!(page.page().matches(".png</td>").count(), listed + gone);
    assert!(page.text().contains("24 photos; with pictures, the page would be too large"), "{}", page.text());
    assert_eq!(explained_within(&what, MOST_BYTES, &mut Unheard).unwrap().photos, [39, 0, 1]);
}
