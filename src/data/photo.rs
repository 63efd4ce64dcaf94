//! One photo from its file.

use std::fs;
use std::path::Path;

use super::split::RESPLIT;
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::pixels::{self, Limits, Rgb};

/// Reads and decodes a photo; every error names it.
///
/// # Errors
/// [`ErrorKind::Io`] if the file cannot be read; [`ErrorKind::Image`] if it is no photo (see [`pixels::decode()`]).
pub fn read(path: &Path) -> Result<Rgb> {
    decode(path, &bytes(path)?)
}

/// The same for a photo of a split: other bytes than those that the manifest names are an error, even if they are a photo.
///
/// # Errors
/// Those of [`read`]; [`ErrorKind::Dataset`] for other bytes.
pub fn read_known(path: &Path, sha256: &str) -> Result<Rgb> {
    let bytes = bytes(path)?;
    if files::sha256(&bytes) != sha256 {
        let what = "this photo was changed since the split was made";
        return Err(Error::new(ErrorKind::Dataset, what).at(path).mend(format!("put it back as it was, or {RESPLIT}")));
    }
    decode(path, &bytes)
}

/// The bytes of a file that could be a photo: not a folder, not a pipe, not too large for one.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let found = fs::metadata(path).map_err(|cause| Error::io("read", path, &cause))?;
    let most = Limits::default().file_bytes as u64;
    let what = match found.len() {
        _ if !found.is_file() => "this is not a file".into(),
        len if len > most => format!("the file has {len} bytes; at most {most} are read"),
        _ => return files::read(path),
    };
    Err(Error::new(ErrorKind::Image, what).at(path))
}

pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Rgb> {
    pixels::decode(bytes, &Limits::default()).map_err(|error| error.at(path))
}
