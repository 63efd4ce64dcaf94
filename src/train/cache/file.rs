//! What the frozen part of a network computes, kept on disk.
//!
//! The frozen part sees each view of each photo once; all epochs, later runs and other processes read it back. A file's
//! name is the hash of everything that decides its content, so a stale one is never found.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use candle_core::{DType, Device, Tensor};
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use serde::{Deserialize, Serialize};

use super::key::Key;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::data::Loader;
use crate::kernels::half_floats;
use crate::models::{Cut, Frozen};

/// What the frozen part gives for every photo of a loader in one view: rows of a file.
///
/// The file is held open, under a shared lock: nobody evicts it meanwhile, and rows can be read even where somebody deletes it.
#[derive(Debug)]
pub struct Cached {
    file: File,
    path: PathBuf,
    /// Where the rows begin.
    start: u64,
    header: Header,
}

/// How a file begins, after its own length: as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) key: Key,
    /// Number of photos.
    pub(super) rows: usize,
    /// One row's shape as stored: `[D]`, or `[h, w, C]`.
    shape: Vec<usize>,
}

impl Cached {
    /// Opens the file of this key; none where there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Dataset`] if the file is not what its name says.
    pub fn open(folder: &Path, key: &Key, rows: usize) -> Result<Option<Self>> {
        let path = folder.join(key.file_name());
        let failed = |cause: std::io::Error| Error::io("read", &path, &cause).mend(DELETE);
        let mut file = match File::open(&path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        // Some network drives have no locks; there, nothing is evicted either.
        let _ = file.lock_shared();
        let (header, start) = Header::read(&mut file).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let expected = header.row_bytes().saturating_mul(rows as u64).saturating_add(start);
        if header.key != *key || header.rows != rows || bytes != expected {
            let what = format!(
                "this cache file holds {} rows of {} in {bytes} bytes; expected {rows} rows in {expected} bytes",
                header.rows, header.key.part.network
            );
            return Err(Error::new(ErrorKind::Dataset, what).at(&path).mend(DELETE));
        }
        touch(&path);
        Ok(Some(Self { file, path, start, header }))
    }

    /// Finds the file, or computes and writes it. `tick` is told after each batch how many photos are done, and can end
    /// the work with an error; nothing is left behind then.
    pub fn prepare(
        frozen: Option<&Frozen>,
        loader: &Loader,
        view: u64,
        key: &Key,
        folder: &Path,
        tick: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        loop {
            // Another process may have written it meanwhile, or evicted it again.
            if let Some(found) = Self::open(folder, key, loader.len())? {
                return Ok(found);
            }
            write(frozen, loader, view, key, &folder.join(key.file_name()), tick)?;
        }
    }

    /// The rows with these indices: features `[B, D]`, or activations `[B, C, h, w]`.
    pub fn rows(&self, indices: &[usize], device: &Device) -> Result<Tensor> {
        let (cut, shape) = (self.header.key.part.cut, &self.header.shape);
        let row = shape.iter().product::<usize>();
        let mut bytes = vec![0; row * number_bytes(cut)];
        let mut values = vec![0f32; row * indices.len()];
        for (values, &index) in values.chunks_exact_mut(row).zip(indices) {
            files::read_at(&self.file, self.start + (index * bytes.len()) as u64, &mut bytes)
                .map_err(|cause| Error::io("read", &self.path, &cause).mend(DELETE))?;
            decode(&bytes, cut, values);
        }
        let shape: Vec<usize> = std::iter::once(indices.len()).chain(shape.iter().copied()).collect();
        public_layout(&Tensor::from_vec(values, shape, device)?)
    }

    /// Number of photos.
    pub fn len(&self) -> usize {
        self.header.rows
    }

    /// Whether there are no photos.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Says that a file was used just now. Only the order of eviction depends on it.
fn touch(path: &Path) {
    // A cache that may only be read serves as well.
    let _ = File::options().write(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

const DELETE: &str = "delete this file of the cache and run this again";

fn write(
    frozen: Option<&Frozen>,
    loader: &Loader,
    view: u64,
    key: &Key,
    path: &Path,
    tick: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<()> {
    let (rows, cut) = (loader.len(), key.part.cut);
    let failed = |cause: std::io::Error| Error::io("write", path, &cause);
    let order: Vec<usize> = (0..rows).collect();
    let (mut done, mut found, mut failure) = (0, false, None);
    let mut compute = |out: &mut dyn Write| -> Result<()> {
        for batch in loader.batches_of(&order, view) {
            let batch = batch?;
            let at_cut = match frozen {
                Some(frozen) => stored_layout(&frozen.run(&batch.images)?)?,
                None => stored_layout(&batch.images)?,
            };
            if done == 0 {
                let shape = at_cut.dims()[1..].to_vec();
                Header { key: key.clone(), rows, shape }.write(out).map_err(failed)?;
            }
            let values = at_cut.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
            out.write_all(&encode(&values, cut)).map_err(failed)?;
            done += batch.indices.len();
            tick(done)?;
        }
        Ok(())
    };
    let written = files::write_atomic(path, |out| {
        // Another process that was writing it was waited for.
        found = path.exists();
        if found {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        compute(out).map_err(|error| {
            failure = Some(error);
            std::io::ErrorKind::Other.into()
        })
    });
    match failure {
        Some(error) => Err(error),
        None if found => Ok(()),
        None => written,
    }
}

/// Rounds what the frozen part computed as the cache does, so that a run without a cache gives the same numbers.
pub fn round(at_cut: &Tensor, cut: Cut) -> Result<Tensor> {
    match cut {
        Cut::Upper => Ok(at_cut.to_dtype(DType::F16)?.to_dtype(DType::F32)?),
        Cut::Features | Cut::Images => Ok(at_cut.clone()),
    }
}

/// Activations are kept as f16: they are many, and what is trained on them does not see the difference. Features are few.
pub(in crate::train) fn number_bytes(cut: Cut) -> usize {
    if cut == Cut::Upper { 2 } else { 4 }
}

impl Header {
    /// Longer ones are not believed.
    const LONGEST: u64 = 1 << 16;

    /// The header, and where the rows begin.
    pub(super) fn read(file: &mut File) -> std::io::Result<(Self, u64)> {
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > Self::LONGEST {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        let mut json = vec![0; length as usize];
        file.read_exact(&mut json)?;
        Ok((serde_json::from_slice(&json)?, 8 + length))
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let json = serde_json::to_vec(self)?;
        out.write_all(&(json.len() as u64).to_le_bytes())?;
        out.write_all(&json)
    }

    fn row_bytes(&self) -> u64 {
        let numbers = self.shape.iter().map(|&size| size as u64).fold(1, u64::saturating_mul);
        numbers.saturating_mul(number_bytes(self.key.part.cut) as u64)
    }
}

fn encode(values: &[f32], cut: Cut) -> Vec<u8> {
    if cut == Cut::Upper {
        let mut halves = vec![f16::ZERO; values.len()];
        half_floats::to_f16(values, &mut halves);
        halves.reinterpret_cast().iter().flat_map(|bits: &u16| bits.to_le_bytes()).collect()
    } else {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

fn decode(bytes: &[u8], cut: Cut, values: &mut [f32]) {
    if cut == Cut::Upper {
        let bits: Vec<u16> = bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        half_floats::from_f16(bits.reinterpret_cast(), values);
    } else {
        for (value, b) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        }
    }
}

/// Maps are stored as they lie in memory, channels last.
fn stored_layout(at_cut: &Tensor) -> Result<Tensor> {
    Ok(if at_cut.rank() == 4 { at_cut.permute((0, 2, 3, 1))?.contiguous()? } else { at_cut.contiguous()? })
}

fn public_layout(stored: &Tensor) -> Result<Tensor> {
    Ok(if stored.rank() == 4 { stored.permute((0, 3, 1, 2))? } else { stored.clone() })
}
