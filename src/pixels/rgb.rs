//! A picture.

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
