#![no_main]
//! Any bytes are weights, and a model file, or are refused by name; a small file never makes a large network.

use libfuzzer_sys::fuzz_target;
use petal::ErrorKind;
use petal::candle::Device;
use petal::{export, models::weights};

fuzz_target!(|bytes: &[u8]| {
    match weights::parse(bytes, &Device::Cpu) {
        Ok(tensors) => {
            for tensor in tensors.values() {
                let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
                assert!(values.iter().all(|value| value.is_finite()));
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Weights, "{error}"),
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    if let Err(error) = export::load(file.path(), &Device::Cpu) {
        assert_eq!(error.kind(), ErrorKind::Weights, "{error}");
        assert_eq!(error.path(), Some(file.path()));
    }
});
