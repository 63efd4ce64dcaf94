//! What a repository on the hub says of its weights, in the `config.json` that timm writes.

use serde::Deserialize;
use serde_json::Value;

use crate::base::config::{Backbone, Fit};
use crate::base::error::{Error, ErrorKind, Result};
use crate::pixels::{Filter, Preprocess};

/// What a repository on the hub says of its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// Which network they are of.
    pub backbone: Backbone,
    /// What they were trained to see.
    pub preprocess: Preprocess,
    /// Their licence, where it is said.
    pub licence: Option<String>,
}

/// What is read of timm's `pretrained_cfg`.
#[derive(Deserialize)]
struct Pretrained {
    input_size: [usize; 3],
    #[serde(default = "bicubic")]
    interpolation: String,
    crop_pct: f64,
    mean: [f32; 3],
    std: [f32; 3],
    #[serde(default)]
    license: Option<String>,
}

/// timm's default.
fn bicubic() -> String {
    "bicubic".into()
}

/// What such a file says.
///
/// # Errors
/// [`ErrorKind::Weights`] for another file, and one that tells of a network that petal does not have.
pub(super) fn described(json: &[u8]) -> Result<Described> {
    let failed = |what: String| Error::new(ErrorKind::Weights, what);
    let foreign = |cause: String| {
        failed(format!("this is no config.json of timm's: {cause}"))
            .mend("give a repository that timm has published, like hf:timm/resnet50.a1_in1k; for other weights, a file")
    };
    let config: Value = serde_json::from_slice(json).map_err(|cause| foreign(cause.to_string()))?;
    // The first ones had all on one level.
    let own = config.get("pretrained_cfg").unwrap_or(&config);
    let architecture = config.get("architecture").or_else(|| own.get("architecture")).and_then(Value::as_str);
    let architecture = architecture.ok_or_else(|| foreign("it names no architecture".into()))?;
    let Pretrained { input_size, interpolation, crop_pct, mean, std, license } =
        Pretrained::deserialize(own).map_err(|cause| foreign(cause.to_string()))?;
    // A tag says which training, not which network.
    let name = architecture.split('.').next().unwrap_or_default();
    let backbone: Backbone = name.parse().map_err(|_| {
        let known = Backbone::ALL.map(Backbone::name).join(", ");
        failed(format!("petal has no network `{architecture}`")).mend(format!("choose weights of one of {known}"))
    })?;
    let filter = match interpolation.as_str() {
        "bicubic" => Filter::Bicubic,
        "bilinear" => Filter::Bilinear,
        other => return Err(failed(format!("photos are to be resized by `{other}`: expected bicubic or bilinear"))),
    };
    let size = input_size[1];
    let is_sound = input_size == [3, size, size]
        && (8..=4096).contains(&size)
        && crop_pct > 0.0
        && crop_pct <= 1.0
        && mean.iter().all(|mean| mean.is_finite())
        && std.iter().all(|std| std.is_finite() && *std > 0.0);
    if !is_sound {
        let what = format!(
            "its preprocessing makes no sense: pictures {input_size:?}, cropped to {crop_pct}, mean {mean:?}, deviation {std:?}"
        );
        return Err(failed(what));
    }
    let preprocess = Preprocess { size, crop: crop_pct, fit: Fit::Crop, filter, mean, std };
    Ok(Described { backbone, preprocess, licence: license })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::registry;

    /// `json.dump` of what timm 1.0.31 pushes for `convnext_tiny.fb_in1k` (`timm.models._hub.save_config_for_hf`), shortened.
    const CONFIG: &str = r#"{
        "architecture": "convnext_tiny", "num_classes": 1000, "num_features": 768, "global_pool": "avg",
        "pretrained_cfg": {
            "tag": "fb_in1k", "custom_load": false, "input_size": [3, 224, 224], "test_input_size": [3, 288, 288],
            "fixed_input_size": false, "interpolation": "bicubic", "crop_pct": 0.875, "test_crop_pct": 1.0, "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "num_classes": 1000, "pool_size": [7, 7],
            "first_conv": "stem.0", "classifier": "head.fc", "license": "apache-2.0"
        }
    }"#;

    #[test]
    fn timms_description_is_read_and_others_are_refused() {
        let own = described(CONFIG.as_bytes()).unwrap();
        assert_eq!(own.backbone, Backbone::ConvnextTiny);
        assert_eq!(own.preprocess, registry::weights(Backbone::ConvnextTiny).preprocess);
        assert_eq!(own.licence.as_deref(), Some("apache-2.0"));
        // As the first ones were, on one level; and in another way of resizing, with another cut.
        let flat = r#"{"architecture": "resnet50", "input_size": [3, 160, 160], "interpolation": "bilinear", "crop_pct": 0.95,
            "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}"#;
        let flat = described(flat.as_bytes()).unwrap();
        let preprocess = Preprocess {
            size: 160,
            crop: 0.95,
            fit: Fit::Crop,
            filter: Filter::Bilinear,
            mean: [0.5; 3],
            std: [0.5; 3],
        };
        assert_eq!((flat.backbone, flat.preprocess, flat.licence), (Backbone::Resnet50, preprocess, None));
        for (from, to, says) in [
            ("convnext_tiny", "swin_tiny_patch4_window7_224", "no network `swin_tiny_patch4_window7_224`"),
            ("\"architecture\"", "\"model_type\"", "names no architecture"),
            ("\"mean\"", "\"means\"", "mean"),
            ("bicubic", "lanczos", "`lanczos`"),
            ("\"crop_pct\": 0.875", "\"crop_pct\": 0", "makes no sense"),
            ("[3, 224, 224]", "[1, 224, 224]", "makes no sense"),
            ("0.229", "0", "makes no sense"),
            ("{", "<html>{", "no config.json"),
        ] {
            let error = described(CONFIG.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.kind() == ErrorKind::Weights && error.what().contains(says), "{says}: {error}");
        }
    }
}
