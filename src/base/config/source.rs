//! Where the photos come from, and what one may cost.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the photos come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The TF Flowers archive: 3,670 photos of 5 kinds of flowers, 229 MB.
    TfFlowers,
    /// Drawn flowers, 5 classes of `per_class` pictures each: for demonstrations and tests, without a network.
    Synthetic {
        /// Pictures a class.
        per_class: usize,
    },
    /// Your own folder, which holds one folder of photos per class; or folders `train`, `val` and `test` that do.
    Folder(PathBuf),
    /// Your own photos, with a table that says which is of which class.
    Labels {
        /// The table: CSV with the columns `path`, `label` and, where the parts are given, `split`.
        table: PathBuf,
        /// The folder that the paths begin in.
        photos: PathBuf,
    },
}

/// What a photo may at most cost. It is checked on the header, before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of the file. Default 64 MiB.
    pub file_bytes: usize,
    /// Width and height, in pixels. Default 20,000.
    pub side: usize,
    /// Width × height. Default 178,956,970 (Pillow's bound).
    pub pixels: usize,
}

impl Limits {
    /// No limits: for photos that were admitted before, and are known by their hash or came from petal itself.
    pub const NONE: Self = Self { file_bytes: usize::MAX, side: u32::MAX as usize, pixels: u32::MAX as usize };
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 64 << 20, side: 20_000, pixels: 178_956_970 }
    }
}
