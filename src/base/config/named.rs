//! A network as a person names it.

use std::str::FromStr;

use super::{Backbone, WeightsFrom};
use crate::base::error::{Error, Result};

/// A network as a person names it: one of petal's, a repository on the hub with weights of one of them, or `auto`.
///
/// ```
/// use petal::config::Named;
/// use petal::prelude::*;
///
/// assert_eq!("resnet-50".parse::<Named>()?, Named::Backbone(Backbone::Resnet50));
/// assert_eq!("hf:timm/resnet50.a1_in1k".parse::<Named>()?, Named::Repository("timm/resnet50.a1_in1k".into()));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// One of petal's networks, with its own weights.
    Backbone(Backbone),
    /// Of those at hand the one that knows most of the photos already.
    Auto,
    /// A repository, whose `config.json` says of which network its weights are.
    Repository(String),
}

impl FromStr for Named {
    type Err = Error;

    /// `auto`, `hf:owner/name`, or what [`Backbone`] is called.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for neither.
    fn from_str(name: &str) -> Result<Self> {
        match name.strip_prefix("hf:") {
            None if name == "auto" => Ok(Self::Auto),
            Some(repository) => WeightsFrom::repository(repository).map(|_| Self::Repository(repository.into())),
            None => name.parse().map(Self::Backbone),
        }
    }
}
