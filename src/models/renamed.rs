//! Tensors under the names that they have now.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::base::error::Result;

/// How names of `transformers`' ViT begin, below `vit.` and in a block, and how timm's do.
const NAMES: [(&str, &str); 10] = [
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection.", "patch_embed.proj."),
    ("attention.attention.key.", "attn.qkv."),
    ("attention.output.dense.", "attn.proj."),
    ("intermediate.dense.", "mlp.fc1."),
    ("output.dense.", "mlp.fc2."),
    ("layernorm_before.", "norm1."),
    ("layernorm_after.", "norm2."),
    ("layernorm.", "norm."),
];

/// The same tensors under timm's names, where they have those of `transformers`' ViT: petal's model files of `vit-base16` had them. `prefix` stands before
/// both. Queries, keys and values, layers of their own there, are one. Whatever else there is stays as it is.
/// (Their layer norms added 1e-12 to a variance, and 1e-6 is added now: of features near 1 that is some 3e-4 with random weights.)
///
/// # Errors
/// What Candle can give.
///
/// ```
/// use std::collections::BTreeMap;
/// use petal::candle::{Device, Tensor};
/// use petal::models::weights::renamed;
///
/// let one = |value: f32| Tensor::new(&[value], &Device::Cpu);
/// let of_key = "vit.encoder.layer.3.attention.attention.key.bias";
/// let old = BTreeMap::from([
///     ("vit.embeddings.cls_token".to_owned(), one(0.0)?),
///     (of_key.to_owned(), one(2.0)?),
///     (of_key.replace("key", "query"), one(1.0)?),
///     (of_key.replace("key", "value"), one(3.0)?),
/// ]);
/// let new = renamed("", &old)?;
/// assert_eq!(new.keys().collect::<Vec<_>>(), ["blocks.3.attn.qkv.bias", "cls_token"]);
/// assert_eq!(new["blocks.3.attn.qkv.bias"].to_vec1::<f32>()?, [1.0, 2.0, 3.0]);
/// # Ok::<(), petal::Error>(())
/// ```
pub fn renamed(prefix: &str, tensors: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
    let old = format!("{prefix}vit.");
    let mut found = BTreeMap::new();
    for (name, tensor) in tensors {
        let Some(rest) = name.strip_prefix(&old) else {
            found.insert(name.clone(), tensor.clone());
            continue;
        };
        let (place, part) = match rest.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.')) {
            Some((block, part)) => (format!("{prefix}blocks.{block}."), part),
            None => (prefix.to_owned(), rest),
        };
        let is_of = |which: &str| part.starts_with(&format!("attention.attention.{which}."));
        let has_key = |which: &str| tensors.contains_key(&name.replace(&format!(".{which}."), ".key."));
        if ["query", "value"].iter().any(|which| is_of(which) && has_key(which)) {
            continue;
        }
        let new = NAMES.iter().find_map(|(old, new)| Some(format!("{place}{new}{}", part.strip_prefix(old)?)));
        let tensor = if is_of("key") {
            let other = |which: &str| tensors.get(&name.replace(".key.", &format!(".{which}.")));
            // Where one is missing, whoever checks the shapes says so.
            let three = [other("query"), Some(tensor), other("value")].into_iter().flatten().collect::<Vec<_>>();
            Tensor::cat(&three, 0)?
        } else {
            tensor.clone()
        };
        found.insert(new.unwrap_or_else(|| name.clone()), tensor);
    }
    Ok(found)
}
