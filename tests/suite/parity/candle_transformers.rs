//! Features and logits against candle-transformers, at the size that networks were made for.

use std::collections::HashMap;

use candle_core::{DType, Device, Module};
use candle_nn::VarBuilder;
use candle_transformers::models::resnet;
use petal::config::Backbone;
use petal::models::{Cut, Ops};

use super::cases::{CLASSES, transfer};
use super::networks::{TOLERANCE, model};
use crate::formulas::{distance, images};

#[test]
fn resnet50_is_candle_transformers() {
    let case = transfer("resnet50", Backbone::Resnet50);
    let images = images(&[0], 224, 224);
    let kernels = model(&case, Ops::Kernels);
    let tensors: HashMap<_, _> =
        kernels.params().iter().map(|(name, param)| (name.to_string(), param.var.as_tensor().detach())).collect();
    let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let theirs = resnet::resnet50_no_final_layer(vb.pp("backbone")).unwrap();
    let features = theirs.forward(&images.contiguous().unwrap()).unwrap();
    let linear = |name, from, to| candle_nn::linear(from, to, vb.pp("head").pp(name)).unwrap();
    let hidden = linear("linear1", 2048, 256).forward(&features).unwrap().relu().unwrap();
    let logits = linear("linear2", 256, CLASSES).forward(&hidden).unwrap();
    for model in [kernels, model(&case, Ops::Candle)] {
        let off = distance(&model.before(&images, Cut::Features).unwrap(), &features);
        assert!(off < TOLERANCE, "features: {off:e}");
        let off = distance(&model.logits(&images).unwrap(), &logits);
        assert!(off < TOLERANCE, "logits: {off:e}");
    }
}
