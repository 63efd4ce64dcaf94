//! Pretrained weights: from the hub, the repository or a file; checked whole before any of them is used.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::hub::{Described, Hub};
pub use super::renamed::renamed;
use super::{Model, registry};
use crate::base::config::{Backbone, WeightsFrom};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::base::work::Progress;
use crate::nn::codec;
use crate::pixels::Preprocess;

/// What stands before the names of a backbone's tensors in a model file.
const PREFIX: &str = "backbone.";

/// Where weights came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The repository on the hub, or the name of a file.
    pub name: String,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// SPDX identifier of the licence; `None` where it is not known.
    pub licence: Option<String>,
}

/// The tensors of a pretrained backbone.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// By the names in the published file, f32, finite; without the classifier.
    pub tensors: BTreeMap<String, Tensor>,
    /// Where they came from.
    pub origin: Origin,
    /// What they were trained to see.
    pub preprocess: Preprocess,
}

/// The pretrained weights of a backbone; `None` for [`WeightsFrom::Random`], which [`Model::new`] has drawn already.
///
/// The hub's settings come from the environment: see [`Hub::from_env`]. `models` is the project's folder of models, where
/// the hashes of downloaded weights are remembered.
///
/// # Errors
/// [`ErrorKind::Weights`] for a file that is not safetensors (a pickle, say) or holds numbers that are not finite, and what
/// [`Hub::fetch`] says. Whether the tensors are those of the network is checked by [`apply`].
pub fn load(
    backbone: Backbone,
    from: &WeightsFrom,
    device: &Device,
    models: &Path,
    progress: &mut dyn Progress,
) -> Result<Option<Loaded>> {
    match from {
        WeightsFrom::Random => Ok(None),
        WeightsFrom::Hub => load_from_hub(&Hub::from_env()?, backbone, device, models, progress).map(Some),
        WeightsFrom::Embedded => load_embedded(backbone, device).map(Some),
        WeightsFrom::File(path) => load_file(backbone, path, device).map(Some),
        WeightsFrom::Repository(name) => {
            load_from_repository(&Hub::from_env()?, backbone, name, device, models, progress).map(Some)
        }
    }
}

/// [`load`] from a hub with other settings than the environment's.
pub fn load_from_hub(
    hub: &Hub,
    backbone: Backbone,
    device: &Device,
    models: &Path,
    progress: &mut dyn Progress,
) -> Result<Loaded> {
    let weights = registry::weights(backbone);
    let fetched = hub.fetch(weights.name, weights.revision, weights.file, &models.join("cache/weights"), progress)?;
    let tensors = parse(&fetched.bytes, device).map_err(|error| error.at(fetched.path))?;
    let origin = Origin { name: weights.name.into(), sha256: fetched.sha256, licence: Some(weights.licence.into()) };
    Ok(Loaded { tensors: without_classifier(backbone, &tensors)?, origin, preprocess: weights.preprocess })
}

/// The same from another repository with weights of this network, as timm lays it out; what they were trained to see says its `config.json`.
///
/// # Errors
/// [`ErrorKind::Weights`] for those of another network; what [`Hub::describe`] and [`Hub::fetch`] say.
pub fn load_from_repository(
    hub: &Hub,
    backbone: Backbone,
    name: &str,
    device: &Device,
    models: &Path,
    progress: &mut dyn Progress,
) -> Result<Loaded> {
    let records = models.join("cache/weights");
    let Described { backbone: own, preprocess, licence } = hub.describe(name, &records, progress)?;
    if own != backbone {
        let what = format!("{name} has weights of {own}: expected those of {backbone}");
        return Err(Error::new(ErrorKind::Weights, what).mend(format!("set backbone to {own}, or weights to others")));
    }
    let fetched = hub.fetch(name, "main", "model.safetensors", &records, progress)?;
    let tensors = parse(&fetched.bytes, device).map_err(|error| error.at(fetched.path))?;
    let origin = Origin { name: name.into(), sha256: fetched.sha256, licence };
    Ok(Loaded { tensors: without_classifier(backbone, &tensors)?, origin, preprocess })
}

/// Sets a model's backbone. Everything is checked before anything is set.
///
/// # Errors
/// What [`check`] says.
pub fn apply(model: &Model, loaded: &Loaded) -> Result<()> {
    let wanted = model
        .params()
        .iter()
        .filter_map(|(name, param)| name.strip_prefix(PREFIX).map(|name| (name.to_owned(), param.var.dims().to_vec())));
    check(&loaded.tensors, &wanted.collect()).map_err(|error| error.at(&loaded.origin.name))?;
    let values = loaded.tensors.iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor.clone()));
    model.params().set_all(&values.collect())
}

/// Whether these are exactly the wanted tensors, by name and shape.
///
/// # Errors
/// [`ErrorKind::Weights`], with the first five names that are missing, not wanted, or of another shape.
pub fn check(found: &BTreeMap<String, Tensor>, wanted: &BTreeMap<String, Vec<usize>>) -> Result<()> {
    let missing: Vec<_> = wanted.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
    let extra: Vec<_> = found.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
    let misshapen: Vec<_> = found
        .iter()
        .filter_map(|(name, tensor)| Some((name, tensor.dims(), wanted.get(name)?)))
        .filter(|(_, got, expected)| got != expected)
        .map(|(name, got, expected)| format!("{name}: expected {expected:?}, got {got:?}"))
        .collect();
    let mut faults = Vec::new();
    for (what, names) in [("missing", missing), ("not wanted", extra), ("of another shape", misshapen)] {
        if !names.is_empty() {
            let mut fault =
                format!("{} {what} ({}", names.len(), names.iter().take(5).cloned().collect::<Vec<_>>().join("; "));
            let _ = fault.write_str(if names.len() > 5 { "; …)" } else { ")" });
            faults.push(fault);
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Weights, format!("these tensors are not the network's: {}", faults.join(", ")))
        .mend("give weights that were made for this network, or choose the network that they were made for"))
}

/// The tensors in the bytes of a safetensors file: f32, f16 or bf16 in the file, f32 afterwards, all finite.
///
/// `num_batches_tracked`, an integer that PyTorch keeps beside batch norm, is left out.
///
/// # Errors
/// [`ErrorKind::Weights`].
pub fn parse(bytes: &[u8], device: &Device) -> Result<BTreeMap<String, Tensor>> {
    let tensors = codec::tensors(bytes, device, |name| !name.ends_with("num_batches_tracked"))?;
    for (name, tensor) in &tensors {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let what = format!("{name} holds {} (number {at} of {})", values[at], values.len());
            return Err(Error::new(ErrorKind::Weights, what).mend("use weights from before the training went wrong"));
        }
    }
    Ok(tensors)
}

fn load_file(backbone: Backbone, path: &Path, device: &Device) -> Result<Loaded> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ["pth", "pt", "bin", "ckpt", "pkl", "pickle"].contains(&extension.as_str()) {
        return Err(codec::pickle().at(path));
    }
    let bytes = codec::read_bytes(path)?;
    let tensors = parse(&bytes, device).map_err(|error| error.at(path))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Loaded {
        tensors: without_classifier(backbone, &tensors)?,
        origin: Origin { name, sha256: files::sha256(&bytes), licence: None },
        preprocess: registry::weights(backbone).preprocess,
    })
}

fn load_embedded(backbone: Backbone, device: &Device) -> Result<Loaded> {
    let member = registry::member(backbone);
    let Some(bytes) = member.embedded else {
        let own = Backbone::ALL.into_iter().filter(|one| one.has_embedded_weights()).map(Backbone::name);
        let own = own.collect::<Vec<_>>().join(" or ");
        let allowed = format!("{own}, the one in the repository");
        return Err(Error::config("weights", format_args!("embedded with {backbone}"), &allowed)
            .mend(format!("set backbone to {own}, or weights to hub or a file")));
    };
    let weights = member.weights;
    let origin = Origin {
        name: format!("{}, rounded to f16", weights.name),
        sha256: files::sha256(bytes),
        licence: Some(weights.licence.into()),
    };
    let tensors = without_classifier(backbone, &parse(bytes, device)?)?;
    Ok(Loaded { tensors, origin, preprocess: weights.preprocess })
}

/// The 1000 classes of ImageNet go. Of a model file of petal's, the backbone stays, whatever head it has. What has other names in older files gets those of today.
fn without_classifier(backbone: Backbone, tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
    if tensors.keys().any(|name| name.starts_with(PREFIX)) {
        let own = |(name, tensor): (&String, &Tensor)| Some((name.strip_prefix(PREFIX)?.to_owned(), tensor.clone()));
        return renamed("", &tensors.iter().filter_map(own).collect());
    }
    let classifier = registry::member(backbone).classifier;
    let mut named = renamed("", tensors)?;
    // The classifier of the set that a network was published with has another name.
    let is_older = named.len() != tensors.len();
    let is_classifiers = |name: &str| name.starts_with(classifier) || (is_older && name.starts_with("classifier."));
    named.retain(|name, _| !is_classifiers(name));
    Ok(named)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use safetensors::tensor::{Dtype, TensorView, serialize};

    use super::*;

    fn file(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
        let views = tensors
            .iter()
            .map(|&(name, dtype, shape, data)| (name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
        serialize(views, None::<HashMap<String, String>>).unwrap()
    }

    #[test]
    fn half_precision_is_read_as_f32_and_counters_are_left_out() {
        let bytes = file(&[
            ("a", Dtype::F16, &[2], &[0x00, 0x3c, 0x00, 0xc0]),
            ("b", Dtype::BF16, &[1, 2], &[0x80, 0x3f, 0x00, 0xc0]),
            ("bn.num_batches_tracked", Dtype::I64, &[], &[0; 8]),
        ]);
        let tensors = parse(&bytes, &Device::Cpu).unwrap();
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tensors["a"].to_vec1::<f32>().unwrap(), [1.0, -2.0]);
        assert_eq!(tensors["b"].to_vec2::<f32>().unwrap(), [[1.0, -2.0]]);
    }

    #[test]
    fn all_that_does_not_fit_is_listed() {
        let tensor = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
        let wanted: BTreeMap<_, _> =
            (0..9).map(|i| (format!("w{i}"), vec![2, 3])).chain([("same".to_owned(), vec![1])]).collect();
        let mut found: BTreeMap<_, _> = [("w0".into(), tensor(&[3, 2])), ("same".into(), tensor(&[1]))].into();
        found.insert("more".into(), tensor(&[1]));
        let error = check(&found, &wanted).unwrap_err().to_string();
        assert!(error.contains("8 missing (w1; w2; w3; w4; w5; …)"), "{error}");
        assert!(error.contains("1 not wanted (more)"), "{error}");
        assert!(error.contains("1 of another shape (w0: expected [2, 3], got [3, 2])"), "{error}");
    }

    #[test]
    fn the_embedded_weights_are_the_published_ones() {
        let loaded = load_embedded(Backbone::EfficientnetLite0, &Device::Cpu).unwrap();
        assert_eq!(loaded.origin.sha256, "c4117a10d10cf2f3b5a1ed7ae5e966d9939525b09aff571725cea4635cdab3f5");
        // Beside the parameters, batch norm keeps its running statistics.
        let numbers: usize = loaded.tensors.values().map(Tensor::elem_count).sum();
        let buffers: usize =
            loaded.tensors.iter().filter(|(name, _)| name.contains("running_")).map(|(_, t)| t.elem_count()).sum();
        assert_eq!(numbers - buffers, 3_371_008);
        assert_eq!(load_embedded(Backbone::Resnet50, &Device::Cpu).unwrap_err().kind(), ErrorKind::Config);
    }
}
