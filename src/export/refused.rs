//! A model file that is refused.

use crate::base::error::{Error, ErrorKind};

pub(super) fn refused(what: String) -> Error {
    Error::new(ErrorKind::Weights, what)
}
