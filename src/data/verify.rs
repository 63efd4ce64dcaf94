//! A look at every file before any training.

use std::path::PathBuf;

use rayon::prelude::*;

use super::left_out::LeftOut;
use super::{Dataset, Sample, photo};
use crate::base::error::Result;
use crate::base::files;
use crate::base::work::{Progress, Unit, Work};
use crate::pixels::{Decoded, Fingerprint, Limits};

/// Photos that are looked at between two safe points: enough for many threads, and done within a second or two.
const AT_ONCE: usize = 128;

/// What was found in a good photo.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The photo.
    pub sample: Sample,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Width and height in pixels, upright.
    pub size: (usize, usize),
    /// What it is compared with other photos by.
    pub fingerprint: Fingerprint,
    /// Whether it has EXIF data that cannot be read, so that it may lie on its side.
    pub broken_exif: bool,
    /// Whether something of it is transparent, and is laid on white.
    pub laid_on_white: bool,
}

/// What a look at every file has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Verification {
    /// The photos that can be read, in the data set's order.
    pub good: Vec<Checked>,
    /// Those that cannot, and why. They are left out of every split.
    pub bad: Vec<(PathBuf, LeftOut)>,
}

impl Dataset {
    /// Decodes every file once, whole.
    ///
    /// # Errors
    /// None for a bad photo: it is listed. [`ErrorKind::Io`](crate::ErrorKind::Io) never either: an unreadable file is a bad photo.
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `progress` ends it.
    pub fn verify_with(&self, progress: &mut dyn Progress) -> Result<Verification> {
        let mut work = Work::new("looking at every photo", Unit::Photos, self.samples.len() as u64);
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for samples in self.samples.chunks(AT_ONCE) {
            work.at((good.len() + bad.len()) as u64, progress)?;
            let looked: Vec<_> = samples.par_iter().map(|sample| (sample, look(sample, &self.limits))).collect();
            for (sample, found) in looked {
                match found {
                    Ok(checked) => good.push(checked),
                    Err(error) => {
                        bad.push((sample.path.clone(), LeftOut::after(&error).of(photo::size_of(&sample.path))));
                    }
                }
            }
        }
        work.end(progress)?;
        Ok(Verification { good, bad })
    }
}

fn look(sample: &Sample, limits: &Limits) -> Result<Checked> {
    let bytes = photo::bytes(&sample.path, limits)?;
    Checked::of(sample, &bytes, &photo::decode(&sample.path, &bytes, limits)?)
}

impl Checked {
    /// What is to be said of a photo whose bytes were decoded.
    ///
    /// # Errors
    /// [`ErrorKind::Image`](crate::ErrorKind::Image) for a picture of no pixels.
    pub fn of(sample: &Sample, bytes: &[u8], decoded: &Decoded) -> Result<Self> {
        let Decoded { picture, laid_on_white, broken_exif } = decoded;
        Ok(Self {
            sample: sample.clone(),
            bytes: bytes.len() as u64,
            sha256: files::sha256(bytes),
            size: (picture.width, picture.height),
            fingerprint: Fingerprint::of(picture)?,
            broken_exif: *broken_exif,
            laid_on_white: *laid_on_white,
        })
    }
}
