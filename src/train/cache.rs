//! What the frozen part of a network computes, kept on disk.
//!
//! The frozen part sees each view of each photo once; all epochs, later runs and other processes read it back. A file's
//! name is the hash of everything that decides its content, so a stale one is never found.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use crate::data::Loader;
use crate::error::{Error, ErrorKind, Result};
use crate::files;
use crate::kernels::half_floats;
use crate::models::{Cut, Frozen};
use crate::project::Machine;

/// What the frozen part gives for every photo of a loader in one view: rows of a file.
#[derive(Clone, Debug)]
pub struct Cached {
    path: PathBuf,
    rows: usize,
    /// One row's shape as stored: `[D]`, or `[h, w, C]`.
    shape: Vec<usize>,
}

impl Cached {
    /// Finds the file, or computes and writes it. `tick` is told after each batch how many photos are done, and can end
    /// the work with an error; nothing is left behind then.
    pub fn prepare(
        frozen: Option<&Frozen>,
        cut: Cut,
        loader: &Loader,
        view: u64,
        key: &str,
        folder: &Path,
        tick: &mut dyn FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        let rows = loader.len();
        let path = path(folder, key);
        if path.exists() {
            return Self::open(path, rows);
        }
        let order: Vec<usize> = (0..rows).collect();
        let mut batches = loader.batches_of(&order, view).peekable();
        let mut shape = Vec::new();
        let mut failure = None;
        let mut compute = |out: &mut dyn Write| -> Result<()> {
            let mut done = 0;
            for batch in batches.by_ref() {
                let batch = batch?;
                let at_cut = match frozen {
                    Some(frozen) => stored_layout(&frozen.run(&batch.images)?)?,
                    None => stored_layout(&batch.images)?,
                };
                if shape.is_empty() {
                    shape = at_cut.dims()[1..].to_vec();
                    write_header(out, rows, &shape).map_err(|cause| Error::io("write", &path, &cause))?;
                }
                let values = at_cut.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
                out.write_all(&encode(&values, cut)).map_err(|cause| Error::io("write", &path, &cause))?;
                done += batch.indices.len();
                tick(done, rows)?;
            }
            Ok(())
        };
        let written = files::write_atomic(&path, |out| {
            compute(out).map_err(|error| {
                failure = Some(error);
                std::io::ErrorKind::Other.into()
            })
        });
        match failure {
            Some(error) => Err(error),
            None => written.and_then(|()| Self::open(path, rows)),
        }
    }

    /// The rows with these indices: features `[B, D]`, or activations `[B, C, h, w]`.
    pub fn rows(&self, indices: &[usize], cut: Cut, device: &Device) -> Result<Tensor> {
        let failed = |cause: std::io::Error| {
            Error::io("read", &self.path, &cause).mend("delete this file of the cache and run this again")
        };
        let mut file = File::open(&self.path).map_err(failed)?;
        let row = self.shape.iter().product::<usize>();
        let mut bytes = vec![0; row * cut_bytes(cut)];
        let mut values = vec![0f32; row * indices.len()];
        for (values, &index) in values.chunks_exact_mut(row).zip(indices) {
            file.seek(SeekFrom::Start((header_len(self.shape.len()) + index * bytes.len()) as u64)).map_err(failed)?;
            file.read_exact(&mut bytes).map_err(failed)?;
            decode(&bytes, cut, values);
        }
        let shape: Vec<usize> = std::iter::once(indices.len()).chain(self.shape.iter().copied()).collect();
        public_layout(&Tensor::from_vec(values, shape, device)?)
    }

    fn open(path: PathBuf, rows: usize) -> Result<Self> {
        let failed = |cause: std::io::Error| Error::io("read", &path, &cause);
        let mut file = File::open(&path).map_err(failed)?;
        let (found, shape) = read_header(&mut file).map_err(failed)?;
        if found != rows {
            let what = format!("this cache file holds {found} rows; expected {rows}");
            return Err(Error::new(ErrorKind::Dataset, what).at(&path).mend("delete it and run this again"));
        }
        Ok(Self { path, rows, shape })
    }

    /// Number of photos.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no photos.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

/// Where the rows of this key are.
pub(super) fn path(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.bin"))
}

/// Rounds what the frozen part computed as the cache does, so that a run without a cache gives the same numbers.
pub fn round(at_cut: &Tensor, cut: Cut) -> Result<Tensor> {
    match cut {
        Cut::Upper => Ok(at_cut.to_dtype(DType::F16)?.to_dtype(DType::F32)?),
        Cut::Features | Cut::Images => Ok(at_cut.clone()),
    }
}

/// Activations are kept as f16: they are many, and what is trained on them does not see the difference. Features are few.
pub(super) fn cut_bytes(cut: Cut) -> usize {
    if cut == Cut::Upper { 2 } else { 4 }
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

// The header: rank, rows, and the row's shape, each a little-endian u64.
fn header_len(rank: usize) -> usize {
    8 * (2 + rank)
}

fn write_header(out: &mut dyn Write, rows: usize, shape: &[usize]) -> std::io::Result<()> {
    for number in [shape.len(), rows].iter().chain(shape) {
        out.write_all(&(*number as u64).to_le_bytes())?;
    }
    Ok(())
}

fn read_header(file: &mut File) -> std::io::Result<(usize, Vec<usize>)> {
    let mut number = || -> std::io::Result<usize> {
        let mut bytes = [0; 8];
        file.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes) as usize)
    };
    let rank = number()?;
    if rank > 3 {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let rows = number()?;
    let shape = (0..rank).map(|_| number()).collect::<std::io::Result<_>>()?;
    Ok((rows, shape))
}

/// Fails where the disk has too little room for so many bytes of cache.
pub(super) fn check_room(folder: &Path, bytes: usize) -> Result<()> {
    files::create_dir(folder)?;
    let free = Machine::look(folder).disk_free;
    // What cannot be found out is reported as 0 and not held against anyone.
    if free > 0 && free < bytes as u64 + (256 << 20) {
        let what = format!("the cache needs {} MB; {} MB are free on this disk", bytes >> 20, free >> 20);
        return Err(Error::new(ErrorKind::DiskFull, what).at(folder).mend("free some space, or set cache = false"));
    }
    Ok(())
}
