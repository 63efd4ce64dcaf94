//! What a model is before its head.

use super::architecture::Architecture;
use super::families::baseline;
use super::family::Init;
use super::network::Network;
use super::{init, registry};
use crate::base::error::{Error, Result};

/// What belongs to an architecture before its head, with tensors named as in the published file; and how its first values are made.
pub(super) fn body(architecture: &Architecture) -> Result<(Network, Init)> {
    match architecture {
        Architecture::Baseline { image_size, .. } if *image_size < 22 => {
            Err(Error::config("image_size", image_size, "at least 22 pixels for the baseline"))
        }
        Architecture::Baseline { .. } => Ok((baseline::baseline(), init::keras)),
        Architecture::Transfer { backbone, .. } => {
            let member = registry::member(*backbone);
            Ok(((member.build)(), member.init))
        }
    }
}
