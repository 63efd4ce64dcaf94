//! The number of threads changes no byte of a network's outputs and gradients.

use std::process::Command;

use candle_core::{Device, Tensor};
use petal::config::Backbone;
use petal::files;
use petal::models::{Cut, Ops};

use super::cases::{baseline, embedded, normed, transfer};
use super::networks::{gradients, model};
use crate::formulas::{images, values};

/// Set in the processes that this test starts of itself: Candle's matrix product reads the number of threads from the
/// environment, once.
const CHILD: &str = "PETAL_TEST_DIGEST";

#[test]
fn one_thread_and_two_and_three_give_the_same_bytes() {
    if std::env::var_os(CHILD).is_some() {
        println!("\ndigest {} {}", rayon::current_num_threads(), digest());
        return;
    }
    let name = format!("{}::one_thread_and_two_and_three_give_the_same_bytes", module_path!());
    let name = name.split_once("::").unwrap().1;
    let digest = |threads: &str| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([name, "--exact", "--nocapture"]).env(CHILD, "1").env("RAYON_NUM_THREADS", threads);
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("digest "));
        let (ran_on, digest) = line.and_then(|line| line.split_once(' ')).unwrap_or_else(|| panic!("{output:?}"));
        assert_eq!(ran_on, threads);
        digest.to_string()
    };
    let one = digest("1");
    assert_eq!(one.len(), 64);
    assert_eq!(one, digest("2"));
    assert_eq!(one, digest("3"));
}

/// SHA-256 of logits, features and all gradients of ResNet-50, Lite0, B0, ConvNeXt-Atto, ViT-Small and the baseline. Seven images make chunks of unequal size.
fn digest() -> String {
    let mut bytes = Vec::new();
    let networks = [
        transfer("resnet50", Backbone::Resnet50),
        embedded("lite0", Backbone::EfficientnetLite0),
        transfer("b0", Backbone::EfficientnetB0),
        normed("convnext_atto", Backbone::ConvnextAtto),
        transfer("vits16", Backbone::VitSmall16),
        baseline(49),
    ];
    for case in networks {
        let model = model(&case, Ops::Kernels);
        let images = images(&[0, 1, 2, 3, 4, 5, 6], 49, 49);
        let targets = Tensor::new(&[0u32, 1, 2, 3, 4, 0, 1], &Device::Cpu).unwrap();
        let mut add = |tensor: &Tensor| bytes.extend(values(tensor).into_iter().flat_map(f32::to_le_bytes));
        add(&model.logits(&images).unwrap());
        add(&model.before(&images, Cut::Features).unwrap());
        let (_, gradients) = gradients(&model, Cut::Images, &images, &targets);
        for name in model.trainable(Cut::Images) {
            add(&gradients.get(&model.params().get(&name).unwrap().var).unwrap().unwrap());
        }
    }
    files::sha256(&bytes)
}
