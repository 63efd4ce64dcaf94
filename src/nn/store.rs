//! Named tensors in a safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;

/// The one metadata key that is ours. safetensors keeps its metadata in a hash map, so a second key would make the order
/// of the bytes random.
const KEY: &str = "petal";

/// The bytes of a safetensors file: f32 tensors in the order of their names, and `metadata` (JSON) under the key `petal`.
/// Equal values give equal bytes.
pub fn to_bytes(tensors: &BTreeMap<String, Tensor>, metadata: &str) -> Result<Vec<u8>> {
    let mut values = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let flat = tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let bytes: Vec<u8> = flat.iter().flat_map(|value| value.to_le_bytes()).collect();
        values.push((name.as_str(), tensor.dims().to_vec(), bytes));
    }
    let failed = |cause: safetensors::SafeTensorError| Error::new(ErrorKind::Weights, cause.to_string());
    let mut views = Vec::with_capacity(values.len());
    for (name, shape, bytes) in &values {
        views.push((*name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?));
    }
    safetensors::serialize(views, Some(HashMap::from([(KEY.to_string(), metadata.to_string())]))).map_err(failed)
}

/// Writes [`to_bytes`] atomically, and reads it back before what stood there goes.
pub fn write(path: &Path, tensors: &BTreeMap<String, Tensor>, metadata: &str) -> Result<()> {
    files::write_verified(path, &to_bytes(tensors, metadata)?)
}

/// SHA-256 over names, shapes and values, in lower-case hex.
pub fn digest(tensors: &BTreeMap<String, Tensor>) -> Result<String> {
    let mut hasher = Sha256::new();
    for (name, tensor) in tensors {
        hasher.update(format!("{name} {:?}\n", tensor.dims()));
        let values = tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        for chunk in values.chunks(1 << 14) {
            hasher.update(chunk.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        }
    }
    Ok(files::hex(&hasher.finalize()))
}

/// The metadata of a file that [`write()`] made, without reading its tensors. That they are all there is seen by the file's
/// length.
///
/// # Errors
/// [`ErrorKind::Weights`] as for [`read`].
pub fn read_metadata(path: &Path) -> Result<String> {
    let unreadable = |cause: io::Error| Error::io("read", path, &cause);
    let broken = |what: String| not_whole(&what).at(path);
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).map_err(|_| broken(format!("{length} bytes")))?;
    let header = u64::from_le_bytes(bytes);
    // safetensors' own limit; and nothing is allocated for what is not there.
    if header > 100_000_000 || header > length - 8 {
        return Err(broken(format!("a header of {header} bytes in a file of {length}")));
    }
    let mut text = vec![0; header as usize];
    file.read_exact(&mut text).map_err(unreadable)?;
    let header: Metadata = serde_json::from_slice(&text).map_err(|cause| broken(cause.to_string()))?;
    let expected = 8 + text.len() as u64 + header.data_len() as u64;
    if expected != length {
        return Err(broken(format!("{length} bytes; expected {expected}")));
    }
    ours(&header).map_err(|error| error.at(path))
}

/// Reads a file that [`write()`] made: its tensors, on `device`, and its metadata.
///
/// # Errors
/// [`ErrorKind::Weights`] if it is not a whole safetensors file of f32 tensors, or not one of petal's.
pub fn read(path: &Path, device: &Device) -> Result<(BTreeMap<String, Tensor>, String)> {
    let bytes = files::read(path)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|cause| not_whole(&cause).at(path))?;
    let metadata = ours(&header).map_err(|error| error.at(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|cause| not_whole(&cause).at(path))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            let what = format!("tensor {name} is {:?}; expected F32", view.dtype());
            return Err(Error::new(ErrorKind::Weights, what).at(path));
        }
        let values: Vec<f32> =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        tensors.insert(name, Tensor::from_vec(values, view.shape(), device)?);
    }
    Ok((tensors, metadata))
}

fn ours(header: &Metadata) -> Result<String> {
    header.metadata().as_ref().and_then(|entries| entries.get(KEY).cloned()).ok_or_else(|| {
        Error::new(ErrorKind::Weights, "this safetensors file was not written by petal (no metadata \"petal\")")
    })
}

fn not_whole(cause: &dyn Display) -> Error {
    Error::new(ErrorKind::Weights, format!("this is not a whole safetensors file: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_equal_values_give_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let a = Tensor::new(&[[1f32, 2.], [3., f32::MIN_POSITIVE]], &Device::Cpu).unwrap();
        let tensors = BTreeMap::from([("b".to_string(), a.clone()), ("a".to_string(), a.t().unwrap())]);
        write(&path, &tensors, "{\"x\":1}").unwrap();
        let (read_back, metadata) = read(&path, &Device::Cpu).unwrap();
        assert_eq!(metadata, "{\"x\":1}");
        assert_eq!(read_metadata(&path).unwrap(), metadata);
        assert_eq!(digest(&read_back).unwrap(), digest(&tensors).unwrap());
        assert_eq!(read_back["a"].to_vec2::<f32>().unwrap(), [[1., 3.], [2., f32::MIN_POSITIVE]]);
        assert_eq!(files::read(&path).unwrap(), to_bytes(&read_back, &metadata).unwrap());
    }

    #[test]
    fn a_cut_or_foreign_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensors = BTreeMap::from([("a".to_string(), Tensor::new(&[1f32], &Device::Cpu).unwrap())]);
        let whole = to_bytes(&tensors, "{}").unwrap();
        for length in 0..whole.len() {
            files::write_bytes(&path, &whole[..length]).unwrap();
            for error in [read(&path, &Device::Cpu).unwrap_err(), read_metadata(&path).unwrap_err()] {
                assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(path.as_path())));
            }
        }
    }
}
