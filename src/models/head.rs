//! The head: two dense layers, with ReLU and dropout between them.

use super::architecture::Architecture;
use super::families::baseline;
use crate::kernels::Activation;
use crate::nn::program::{Program, Size};

/// Adds the head's steps to those of a body that ends with so many channels: dense, ReLU, dropout, dense.
pub(super) fn add(program: &mut Program, architecture: &Architecture, features: usize) {
    let [first, second] = architecture.head_names();
    let (inputs, hidden, classes) = match architecture {
        Architecture::Baseline { classes, image_size } => {
            let sizes = program.sizes(Size { h: *image_size, w: *image_size, c: 3 });
            (sizes[program.steps.len()].len(), baseline::HIDDEN, *classes)
        }
        Architecture::Transfer { hidden, classes, .. } => (features, *hidden, *classes),
    };
    let mut x = program.linear(program.steps.len(), first, inputs, hidden);
    x = program.activation(x, Activation::Relu);
    if let Architecture::Transfer { dropout, .. } = architecture {
        x = program.dropout(x, *dropout);
    }
    program.linear(x, second, hidden, classes);
}
