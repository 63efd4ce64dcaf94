//! Bytes and pixels: decode, augment, resize, normalize. Knows no tensors and no paths.

pub mod augment;
pub mod candidates;
pub mod decode;
pub mod encode;
pub mod fingerprint;
pub mod format;
pub mod lay;
pub mod likeness;
pub mod preprocess;
mod solve;
mod tones;

pub use augment::Augmentation;
pub use decode::{DECODER_BYTES, Decoded, Limits, decode, decode_noted};
pub use encode::{encode_figure, encode_jpeg, encode_png, is_drawn_by_petal};
pub use fingerprint::Fingerprint;
pub use format::{BEGINNING, Format};
pub use preprocess::{Filter, Preprocess};

/// A picture: 8-bit RGB, rows from the top, no padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height × width × 3` values.
    pub data: Vec<u8>,
}
