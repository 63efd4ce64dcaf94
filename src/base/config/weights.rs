//! Where pretrained weights come from.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// Where pretrained weights come from. Nothing ever takes the place of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightsFrom {
    /// The Hugging Face hub, through its cache on this machine.
    Hub,
    /// The EfficientNet-Lite0 weights in the repository, `models/pretrained/`.
    Embedded,
    /// Random numbers from the seed: to try a network without its weights. It learns little.
    Random,
    /// A safetensors file.
    File(PathBuf),
    /// Another repository on the hub with weights of the same network, as timm lays it out (`config.json`, `model.safetensors`):
    /// `timm/resnet50.a1_in1k`.
    Repository(String),
}

impl WeightsFrom {
    /// A repository on the hub, by `owner/name`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for what is no such name.
    pub fn repository(name: &str) -> Result<Self> {
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c))
        };
        match name.split_once('/') {
            Some((owner, own)) if is_plain(owner) && is_plain(own) => Ok(Self::Repository(name.into())),
            _ => {
                Err(Error::config("weights", format_args!("hf:{name}"), "hf:owner/name, like hf:timm/resnet50.a1_in1k"))
            }
        }
    }
}

impl FromStr for WeightsFrom {
    type Err = Error;

    /// `hub`, `embedded`, `random`, `hf:owner/name` for a repository on the hub, or else the path of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a word that is none of these and no path: there is no such file, and it has neither a folder nor an ending.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(repository) = text.strip_prefix("hf:") {
            return Self::repository(repository);
        }
        match text {
            "hub" => Ok(Self::Hub),
            "embedded" => Ok(Self::Embedded),
            "random" => Ok(Self::Random),
            path if Path::new(path).exists() || path.contains(['/', '\\', '.']) => Ok(Self::File(path.into())),
            word => Err(Error::unknown(
                "weights",
                word,
                &["hub", "embedded", "random", "hf:owner/name", "a safetensors file"],
            )),
        }
    }
}
