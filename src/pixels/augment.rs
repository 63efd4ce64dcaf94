//! Random variation of a training photo.

use super::Rgb;
use crate::config::AugmentConfig;
use crate::seed::Stream;

/// One drawn variation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augmentation {
    /// Mirrored left to right.
    pub flip: bool,
}

impl Augmentation {
    /// Draws a variation.
    pub fn draw(_config: &AugmentConfig, _stream: &mut Stream) -> Self {
        todo!()
    }

    /// Applies it; the size stays.
    pub fn apply(&self, _photo: &Rgb) -> Rgb {
        todo!()
    }
}
