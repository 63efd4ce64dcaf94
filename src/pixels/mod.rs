//! Bytes and pixels: decode, augment, resize, normalize. Knows no tensors and no paths.

pub mod augment;
pub mod candidates;
pub mod decode;
pub mod encode;
pub mod fingerprint;
pub mod format;
pub mod lay;
pub mod likeness;
pub mod look;
pub mod preprocess;
pub mod region;
pub mod resize;
mod rgb;
mod solve;
mod tones;
pub mod trivial;

pub use augment::Augmentation;
pub use decode::{DECODER_BYTES, Decoded, Limits, Origin, decode, decode_noted};
pub use encode::{encode_figure, encode_jpeg, encode_png, is_drawn_by_petal};
pub use fingerprint::Fingerprint;
pub use format::{BEGINNING, Format};
pub use look::Look;
pub use preprocess::Preprocess;
pub use region::Region;
pub use resize::Filter;
pub use rgb::Rgb;
pub use trivial::Trivial;
