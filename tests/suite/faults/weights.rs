//! F33–F36: weights and model files that are not what they should be.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use petal::config::{Backbone, WeightsFrom};
use petal::export;
use petal::models::{Architecture, Model, weights};
use petal::train::{Checkpoint, Run};
use petal::{Error, ErrorKind, Seed, Unheard};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};

use crate::weights::small_model;

/// A safetensors file of these tensors.
fn file(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
    let views =
        tensors.iter().map(|&(name, dtype, shape, data)| (name, TensorView::new(dtype, shape.to_vec(), data).unwrap()));
    serialize(views, None::<HashMap<String, String>>).unwrap()
}

/// Reads a file of weights as `--weights FILE` does.
fn load(path: &Path) -> Error {
    weights::load(Backbone::Resnet18, &WeightsFrom::File(path.into()), &Device::Cpu, Path::new("unused"), &mut Unheard)
        .unwrap_err()
}

fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    fs::write(&path, bytes).unwrap();
    let error = load(&path);
    assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(path.as_path())));
    error.to_string()
}

fn values(model: &Model) -> Vec<(String, Vec<f32>)> {
    let of = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    model.params().iter().map(|(name, param)| (name.to_owned(), of(param.var.as_tensor()))).collect()
}

fn zeros(shape: &[usize]) -> Tensor {
    Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn f33_weights_of_another_network_are_listed_and_none_is_set() {
    let architecture =
        Architecture::Transfer { backbone: Backbone::EfficientnetLite0, hidden: 8, dropout: 0.3, classes: 3 };
    let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
    let before = values(&model);
    let load = || {
        weights::load(
            Backbone::EfficientnetLite0,
            &WeightsFrom::Embedded,
            &Device::Cpu,
            Path::new("unused"),
            &mut Unheard,
        )
    };
    let loaded = load().unwrap().unwrap();
    let stem = loaded.tensors["conv_stem.weight"].clone();

    type Change<'a> = &'a dyn Fn(&mut BTreeMap<String, Tensor>);
    let cases: [(&str, Change); 4] = [
        ("1 missing (blocks.6.0.bn3.bias)", &|tensors| drop(tensors.remove("blocks.6.0.bn3.bias"))),
        ("1 not wanted (more)", &|tensors| drop(tensors.insert("more".into(), zeros(&[1])))),
        ("conv_stem.weight: expected [32, 3, 3, 3], got [3, 3, 3, 32]", &|tensors| {
            tensors.insert("conv_stem.weight".into(), stem.permute((3, 1, 2, 0)).unwrap());
        }),
        ("bn1.bias: expected [32], got [31]", &|tensors| drop(tensors.insert("bn1.bias".into(), zeros(&[31])))),
    ];
    for (text, change) in cases {
        let mut wrong = loaded.clone();
        change(&mut wrong.tensors);
        let error = weights::apply(&model, &wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Weights);
        assert!(error.what().contains(text), "{text}: {error}");
        assert!(values(&model) == before, "{text}: something was set");
    }
    weights::apply(&model, &loaded).unwrap();
    assert!(values(&model) != before);
}

/// A model file with this change to its tensors; its description stays.
fn changed(path: &Path, change: impl Fn(&mut BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>)) {
    let (model, info) = small_model();
    export::save(&model, &info, path).unwrap();
    let bytes = fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors =
        file.iter().map(|(name, view)| (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec())));
    let mut tensors: BTreeMap<_, _> = tensors.collect();
    change(&mut tensors);
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    fs::write(path, serialize(views, header.metadata().clone()).unwrap()).unwrap();
}

#[test]
fn f33_a_model_file_with_other_tensors_than_its_network_is_refused_and_half_precision_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let error = || export::load(&path, &Device::Cpu).unwrap_err();
    // The small model tells three classes apart by a dense layer of 128 numbers.
    changed(&path, |tensors| drop(tensors.remove("dense2.bias")));
    assert!(error().what().contains("1 missing (dense2.bias)"), "{}", error());
    changed(&path, |tensors| tensors.get_mut("dense2.weight").unwrap().1.reverse());
    assert!(error().what().contains("dense2.weight: expected [3, 128], got [128, 3]"), "{}", error());
    changed(&path, |tensors| {
        tensors.insert("dense2.weight".into(), (Dtype::F32, vec![1000, 128], vec![0; 4 * 128_000]));
    });
    assert!(error().what().contains("dense2.weight: expected [3, 128], got [1000, 128]"), "{}", error());
    assert_eq!((error().kind(), error().path()), (ErrorKind::Weights, Some(path.as_path())));

    changed(&path, |tensors| {
        // 0x3c00 is 1 in f16.
        tensors.insert("dense2.bias".into(), (Dtype::F16, vec![3], [0x00, 0x3c].repeat(3)));
    });
    let (model, _) = export::load(&path, &Device::Cpu).unwrap();
    assert_eq!(model.params().get("dense2.bias").unwrap().var.to_vec1::<f32>().unwrap(), [1.0; 3]);
}

#[test]
fn f34_numbers_that_are_not_finite_are_refused_by_name() {
    let nan = f32::NAN.to_le_bytes();
    assert!(refused(&file(&[("layer.weight", Dtype::F32, &[1], &nan)])).contains("layer.weight holds NaN"));
    // 0x7c00 is infinity in f16.
    assert!(refused(&file(&[("w", Dtype::F16, &[1], &[0x00, 0x7c])])).contains("w holds inf"));
    assert!(refused(&file(&[("w", Dtype::I64, &[1], &[0; 8])])).contains("w is I64"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    changed(&path, |tensors| tensors.get_mut("dense1.bias").unwrap().2[4..8].copy_from_slice(&nan));
    let error = export::load(&path, &Device::Cpu).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(path.as_path())));
    assert!(error.what().contains("dense1.bias holds NaN (number 1 of 128)"), "{error}");

    // Nor are they ever written: neither to a model file nor to a checkpoint.
    let (model, info) = small_model();
    let bias = &model.params().get("dense1.bias").unwrap().var;
    bias.set(&(bias.as_tensor() * f64::NAN).unwrap()).unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(export::save(&model, &info, &path).unwrap_err().kind(), ErrorKind::Weights);
    assert!(fs::read(&path).unwrap() == before);
    let run = Run::new(folder.path().join("run"), BTreeMap::new());
    let good = Checkpoint { model: [("w".to_owned(), zeros(&[2]))].into(), ..run.load(&Device::Cpu).unwrap() };
    run.save(&good).unwrap();
    let bad = Tensor::new(&[1f32, f32::INFINITY], &Device::Cpu).unwrap();
    let bad = Checkpoint { model: [("w".to_owned(), bad)].into(), ..good };
    let error = run.save(&bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.what().contains("model.w"), "{error}");
    assert_eq!(run.load(&Device::Cpu).unwrap().model["w"].to_vec1::<f32>().unwrap(), [0.0, 0.0]);
}

/// Headers that lie, by name.
fn liars() -> Vec<(&'static str, Vec<u8>)> {
    let header = |json: &str, data: &[u8]| [&(json.len() as u64).to_le_bytes(), json.as_bytes(), data].concat();
    let good = file(&[("a", Dtype::F32, &[2], &[0; 8])]);
    vec![
        ("empty", vec![]),
        ("length 2^63", [&(1u64 << 63).to_le_bytes()[..], b"{}"].concat()),
        ("length beyond the file", [&99_000_000u64.to_le_bytes()[..], b"{}"].concat()),
        ("cut", good[..good.len() - 1].to_vec()),
        ("trailing bytes", [&good[..], &[0]].concat()),
        ("not UTF-8", header("{\"\u{7f}\"", &[0xff; 4])),
        ("not JSON", header("{\"a\": [", &[])),
        (
            "overlap",
            header(
                r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                &[0; 4],
            ),
        ),
        ("hole", header(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, &[0; 8])),
        (
            "overflow",
            header(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}"#, &[0; 4]),
        ),
        (
            "a terabyte",
            header(r#"{"a":{"dtype":"F32","shape":[274877906944],"data_offsets":[0,1099511627776]}}"#, &[0; 4]),
        ),
        ("backwards", header(r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, &[0; 4])),
    ]
}

const F35: &str = "faults::weights::f35_headers_that_lie_are_errors_and_allocate_nothing";

#[test]
fn f35_headers_that_lie_are_errors_and_allocate_nothing() {
    if let Some(folder) = super::as_child() {
        return f35_in_a_process_of_its_own(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let output = super::child(F35, folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("all refused"), "{text}");
}

/// Alone in its process, so that memory that is asked for can be seen.
fn f35_in_a_process_of_its_own(folder: &Path) {
    let path = folder.join("file.safetensors");
    let run = Run::new(folder, BTreeMap::new());
    let last = run.last();
    let before = peak_of_address_space();
    for (case, bytes) in liars() {
        fs::write(&path, &bytes).unwrap();
        fs::write(&last, &bytes).unwrap();
        for error in [load(&path), export::load(&path, &Device::Cpu).unwrap_err()] {
            assert_eq!((error.kind(), error.path()), (ErrorKind::Weights, Some(path.as_path())), "{case}");
            assert!(error.what().contains("not a whole safetensors file"), "{case}: {error}");
        }
        for error in [run.progress().unwrap_err(), run.load(&Device::Cpu).unwrap_err()] {
            assert_eq!((error.kind(), error.path()), (ErrorKind::Checkpoint, Some(last.as_path())), "{case}");
        }
    }
    // The smallest lie speaks of 99 MB.
    if let (Some(before), Some(after)) = (before, peak_of_address_space()) {
        assert!(after - before < 50_000, "{} MB were asked for", (after - before) / 1000);
    }
    eprintln!("all refused");
}

/// The most address space this process had, in kB, where the system tells.
fn peak_of_address_space() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn f36_pickles_are_refused_by_name_and_by_content_with_the_way_to_convert_them() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["resnet50.PTH", "w.pt", "w.bin", "w.ckpt", "w.pkl"] {
        let error = load(&folder.path().join(name));
        assert_eq!(error.kind(), ErrorKind::Weights);
        assert!(error.what().contains("pickle") && error.how_to_mend().unwrap().contains("save_file"), "{error}");
    }
    for bytes in [&b"PK\x03\x04 a zip from torch.save"[..], b"\x80\x02}q\x00."] {
        let text = refused(bytes);
        assert!(text.contains("pickle") && text.contains("save_file"), "{text}");
        let path = folder.path().join("model.safetensors");
        fs::write(&path, bytes).unwrap();
        assert!(export::load(&path, &Device::Cpu).unwrap_err().what().contains("pickle"));
    }
    assert!(refused(b"version https://git-lfs.github.com/spec/v1").contains("Git LFS"));
    // A header whose length happens to begin like a pickle is still safetensors.
    let padded = format!("{:<128}", "{}");
    let bytes = [&128u64.to_le_bytes()[..], padded.as_bytes()].concat();
    assert!(weights::parse(&bytes, &Device::Cpu).unwrap().is_empty());
}
