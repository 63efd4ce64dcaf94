//! Named tensors as safetensors: the one place that knows these files, whatever is in them.
//!
//! Model files, checkpoints, features and pretrained weights are read and written here; what each of them adds, its own room knows.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::files;
use crate::nn::onnx::schema;

/// The most bytes that a file may have: 4 GiB.
pub const LIMIT: u64 = 4 << 30;

/// The one metadata key that is ours. safetensors keeps its metadata in a hash map, so a second key would make the order
/// of the bytes random.
const KEY: &str = "petal";

/// The bytes of a safetensors file: tensors in the order of their names, f16 as f16 and all others as f32, and `metadata` (JSON) under the key
/// `petal`. Equal values give equal bytes.
///
/// ```
/// use petal::candle::{Device, Tensor};
/// use petal::nn::codec;
///
/// let tensors = [("w".to_string(), Tensor::new(&[1f32, -2.0], &Device::Cpu)?)].into();
/// let bytes = codec::to_bytes(&tensors, r#"{"epoch":3}"#)?;
/// assert_eq!(codec::metadata(&bytes)?.as_deref(), Some(r#"{"epoch":3}"#));
/// let read = codec::tensors(&bytes, &Device::Cpu, |_| true)?;
/// assert_eq!(read["w"].to_vec1::<f32>()?, [1.0, -2.0]);
/// # Ok::<(), petal::Error>(())
/// ```
pub fn to_bytes(tensors: &BTreeMap<String, Tensor>, metadata: &str) -> Result<Vec<u8>> {
    let mut values = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let numbers = numbers(tensor)?;
        let (kind, bytes): (Dtype, Vec<u8>) = match tensor.dtype() {
            DType::F16 => (Dtype::F16, numbers.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()),
            _ => (Dtype::F32, numbers.iter().flat_map(|value| value.to_le_bytes()).collect()),
        };
        values.push((name.as_str(), kind, tensor.dims().to_vec(), bytes));
    }
    let failed = |cause: safetensors::SafeTensorError| Error::new(ErrorKind::Weights, cause.to_string());
    let mut views = Vec::with_capacity(values.len());
    for (name, kind, shape, bytes) in &values {
        views.push((*name, TensorView::new(*kind, shape.clone(), bytes).map_err(failed)?));
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
        for chunk in numbers(tensor)?.chunks(1 << 14) {
            hasher.update(chunk.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        }
    }
    Ok(files::hex(&hasher.finalize()))
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?)
}

/// Reads a file of tensors into memory: a mapped file that shrinks would end the process.
///
/// # Errors
/// [`ErrorKind::Weights`] for one of more than [`LIMIT`] bytes; what reading gives.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::metadata(path).map_err(|cause| Error::io("read", path, &cause))?.len();
    if bytes > LIMIT {
        return Err(Error::new(ErrorKind::Weights, format!("{bytes} bytes; expected at most {LIMIT}")).at(path));
    }
    files::read(path)
}

/// Reads a file that [`write()`] made: its tensors, on `device`, and its metadata.
///
/// # Errors
/// [`ErrorKind::Weights`] if it is not a whole safetensors file, or not one of petal's.
pub fn read(path: &Path, device: &Device) -> Result<(BTreeMap<String, Tensor>, String)> {
    let bytes = read_bytes(path)?;
    let own = || Ok((tensors(&bytes, device, |_| true)?, metadata(&bytes)?.ok_or_else(foreign)?));
    own().map_err(|error: Error| error.at(path))
}

/// The tensors with wanted names: f32, f16 or bf16 in the file, f32 afterwards, on `device`. Nothing is asked of their numbers.
///
/// # Errors
/// [`ErrorKind::Weights`] if these are not the bytes of a whole safetensors file, or a wanted tensor is of another type.
pub fn tensors(bytes: &[u8], device: &Device, wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>> {
    // Sorted, so that of several faults the same one is named every time.
    let mut views = whole(bytes)?.tensors();
    views.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut tensors = BTreeMap::new();
    for (name, view) in views.into_iter().filter(|(name, _)| wanted(name)) {
        let data = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => data.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => data.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => {
                return Err(Error::new(ErrorKind::Weights, format!("{name} is {other:?}; expected F32, F16 or BF16")));
            }
        };
        tensors.insert(name, Tensor::from_vec(values, view.shape(), device)?);
    }
    Ok(tensors)
}

/// Petal's own metadata in the bytes of a whole safetensors file; none where somebody else wrote it.
///
/// # Errors
/// [`ErrorKind::Weights`] if they are not the bytes of a whole safetensors file.
pub fn metadata(bytes: &[u8]) -> Result<Option<String>> {
    whole(bytes)?;
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|cause| not_whole(bytes.len() as u64, &cause.to_string()))?;
    Ok(own(&header))
}

/// The metadata of a file that [`write()`] made, without reading its tensors. That they are all there is seen by the file's
/// length.
///
/// # Errors
/// [`ErrorKind::Weights`] as for [`read`].
pub fn read_metadata(path: &Path) -> Result<String> {
    let unreadable = |cause: io::Error| Error::io("read", path, &cause);
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let broken = |what: &str| not_whole(length, what).at(path);
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).map_err(|_| broken("it has no header"))?;
    let header = u64::from_le_bytes(bytes);
    // safetensors' own limit; and nothing is allocated for what is not there.
    if header > 100_000_000 || header > length - 8 {
        return Err(broken(&format!("a header of {header} bytes")));
    }
    let mut text = vec![0; header as usize];
    file.read_exact(&mut text).map_err(unreadable)?;
    let header: Metadata = serde_json::from_slice(&text).map_err(|cause| broken(&cause.to_string()))?;
    let expected = 8 + text.len() as u64 + header.data_len() as u64;
    if expected != length {
        return Err(broken(&format!("expected {expected}")));
    }
    own(&header).ok_or_else(|| foreign().at(path))
}

/// What every refusal of a pickle says.
pub fn pickle() -> Error {
    Error::new(ErrorKind::Weights, "this is a pickle, which can run any code when it is opened; expected safetensors").mend(
        "if you trust the file, convert it once in Python: \
         `from safetensors.torch import save_file; save_file(torch.load(\"in.pth\", weights_only=True), \"out.safetensors\")`",
    )
}

/// The checked header of a safetensors file; no tensor is copied.
fn whole(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    // The first eight bytes are the header's length, so only a ninth that is not `{` tells a pickle from safetensors.
    if bytes.get(8) != Some(&b'{') {
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(&[0x80]) {
            return Err(pickle());
        }
        if bytes.starts_with(b"version https://git-lfs") {
            let what = "this is a Git LFS pointer, not the file itself";
            return Err(Error::new(ErrorKind::Weights, what).mend("run `git lfs pull`, or download the file"));
        }
        if schema::is_model(bytes) {
            let what = "this is an ONNX file, which is for other programs; petal reads safetensors";
            return Err(Error::new(ErrorKind::Weights, what).mend(
                "give petal's own model file, from which it was exported; docs/ONNX.md says how Python runs this one",
            ));
        }
    }
    SafeTensors::deserialize(bytes).map_err(|cause| not_whole(bytes.len() as u64, &cause.to_string()))
}

fn own(header: &Metadata) -> Option<String> {
    header.metadata().as_ref().and_then(|entries| entries.get(KEY).cloned())
}

fn foreign() -> Error {
    Error::new(ErrorKind::Weights, "this safetensors file was not written by petal (no metadata \"petal\")")
}

fn not_whole(length: u64, cause: &str) -> Error {
    Error::new(ErrorKind::Weights, format!("not a whole safetensors file ({length} bytes): {cause}"))
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
    fn half_precision_is_read_as_f32_and_what_is_not_wanted_is_not_read() {
        let bytes = file(&[
            ("a", Dtype::F16, &[2], &[0x00, 0x3c, 0x00, 0xc0]),
            ("b", Dtype::BF16, &[1, 2], &[0x80, 0x3f, 0x00, 0xc0]),
            ("c", Dtype::I64, &[], &[0; 8]),
        ]);
        let tensors = tensors(&bytes, &Device::Cpu, |name| name != "c").unwrap();
        assert_eq!(tensors.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tensors["a"].to_vec1::<f32>().unwrap(), [1.0, -2.0]);
        assert_eq!(tensors["b"].to_vec2::<f32>().unwrap(), [[1.0, -2.0]]);
        let error = super::tensors(&bytes, &Device::Cpu, |_| true).unwrap_err();
        assert_eq!(error.what(), "c is I64; expected F32, F16 or BF16");
    }

    fn file(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
        let views = tensors
            .iter()
            .map(|&(name, dtype, shape, data)| (name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
        safetensors::serialize(views, None::<HashMap<String, String>>).unwrap()
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
