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
}

impl FromStr for WeightsFrom {
    type Err = Error;

    /// `hub`, `embedded`, `random`, or else the path of a file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a word that is none of these and no path: there is no such file, and it has neither a folder nor an ending.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "hub" => Ok(Self::Hub),
            "embedded" => Ok(Self::Embedded),
            "random" => Ok(Self::Random),
            path if Path::new(path).exists() || path.contains(['/', '\\', '.']) => Ok(Self::File(path.into())),
            word => Err(Error::unknown("weights", word, &["hub", "embedded", "random", "a safetensors file"])),
        }
    }
}
