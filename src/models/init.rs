//! First values of tensors, drawn from a stream of their own.

use crate::base::seed::Stream;

/// He et al. 2015 by fan-out for convolutions, and batch norms that change nothing; a depthwise kernel's fan-out is its own area.
pub(super) fn convolutional(name: &str, shape: &[usize], stream: &mut Stream) -> Vec<f32> {
    plain(name, shape).unwrap_or_else(|| match *shape {
        [o, i, h, w] => {
            let outputs = if i == 1 { 1 } else { o };
            normal(shape, stream, (2.0 / (h * w * outputs) as f64).sqrt())
        }
        _ => glorot(shape, stream),
    })
}

/// Normal with standard deviation 0.02, and norms that change nothing: as transformers start.
pub(super) fn transformer(name: &str, shape: &[usize], stream: &mut Stream) -> Vec<f32> {
    plain(name, shape).unwrap_or_else(|| normal(shape, stream, 0.02))
}

/// Glorot & Bengio 2010, with zero biases, as in Keras.
pub(super) fn keras(name: &str, shape: &[usize], stream: &mut Stream) -> Vec<f32> {
    plain(name, shape).unwrap_or_else(|| glorot(shape, stream))
}

/// Zeros.
pub(super) fn zeros(shape: &[usize]) -> Vec<f32> {
    vec![0.0; shape.iter().product()]
}

/// What is not drawn: shifts are 0, scales 1.
fn plain(name: &str, shape: &[usize]) -> Option<Vec<f32>> {
    if name.ends_with(".bias") || name.ends_with(".running_mean") {
        return Some(zeros(shape));
    }
    let ones = name.ends_with(".running_var") || name.ends_with(".gamma") || shape.len() == 1;
    ones.then(|| vec![1.0; shape.iter().product()])
}

fn normal(shape: &[usize], stream: &mut Stream, std: f64) -> Vec<f32> {
    (0..shape.iter().product()).map(|_| (std * stream.normal()) as f32).collect()
}

fn glorot(shape: &[usize], stream: &mut Stream) -> Vec<f32> {
    let area: usize = shape.iter().skip(2).product();
    let limit = (6.0 / (area * (shape[0] + shape[1])) as f64).sqrt();
    (0..shape.iter().product()).map(|_| stream.range(-limit, limit) as f32).collect()
}
