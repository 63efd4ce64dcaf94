//! One photo from its file.

use std::fs;
use std::path::Path;

use super::sample::RESPLIT;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::pixels::{self, Decoded, Limits, Rgb};

/// Reads and decodes a photo; every error names it. Photos that were admitted before, with limits, are read again with [`Limits::NONE`].
///
/// # Errors
/// [`ErrorKind::Io`] if the file cannot be read; those of [`pixels::decode()`] if it is no photo.
pub fn read(path: &Path, limits: &Limits) -> Result<Rgb> {
    Ok(decode(path, &bytes(path, limits)?, limits)?.picture)
}

/// The same for a photo of a split: other bytes than those that the manifest names are an error, even if they are a photo.
///
/// # Errors
/// Those of [`read`]; [`ErrorKind::Dataset`] for other bytes.
pub fn read_known(path: &Path, sha256: &str) -> Result<Rgb> {
    Ok(known(path, sha256)?.0)
}

/// The same with the file's bytes.
pub(super) fn known(path: &Path, sha256: &str) -> Result<(Rgb, Vec<u8>)> {
    // It is the very photo that was admitted when the split was made.
    let limits = Limits::NONE;
    let bytes = bytes(path, &limits)?;
    if files::sha256(&bytes) != sha256 {
        let what = "this photo was changed since the split was made";
        return Err(Error::new(ErrorKind::Dataset, what).at(path).mend(format!("put it back as it was, or {RESPLIT}")));
    }
    Ok((decode(path, &bytes, &limits)?.picture, bytes))
}

/// Bytes of a file; 0 where it cannot be found.
pub(crate) fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// The bytes of a file that could be a photo: not a folder, not a pipe, not too large for one.
pub(crate) fn bytes(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let found = fs::metadata(path).map_err(|cause| Error::io("read", path, &cause))?;
    match found.len() {
        _ if !found.is_file() => Err(Error::new(ErrorKind::Image, "this is not a file").at(path)),
        len if len > limits.file_bytes as u64 => Err(limits.refuse_bytes(len).at(path)),
        _ => files::read(path),
    }
}

pub(crate) fn decode(path: &Path, bytes: &[u8], limits: &Limits) -> Result<Decoded> {
    pixels::decode_noted(bytes, limits).map_err(|error| error.at(path))
}
