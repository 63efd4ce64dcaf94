//! Inverted dropout (Srivastava et al. 2014, <https://jmlr.org/papers/v15/srivastava14a.html>).

use candle_core::Tensor;
use serde_json::json;

use super::step::{Bound, Description, Draws, Grain, Left, Needs, Place, Ready, Site, Size, Step, Sum, Wanted};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Stream;
use crate::kernels::Memory;
use crate::nn::onnx::{Graph, Value};

/// Sets numbers to 0 with probability `p`, and multiplies the others by `1 / (1 − p)`. Without random numbers it is not there.
///
/// One draw a number, in row-major order over the batch.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use petal::base::seed::{Purpose, Seed};
/// use petal::nn::program::{Program, Stage};
/// use petal::nn::steps::Dropout;
/// use petal::nn::{Params, Workspace};
///
/// let mut program = Program::default();
/// program.add(Dropout { p: 0.75 }, 0, None);
/// let stage = Stage { program: &program, trainable_from: 0, params: &Params::default(), workspace: &Workspace::default() };
/// let x = Tensor::ones((1, 1000, 1, 1), candle_core::DType::F32, &Device::Cpu)?;
/// let mut stream = Seed(7).stream(Purpose::Dropout, 0, 0);
/// let run = |stream| stage.fused(&x, false, stream)?.flatten_all()?.to_vec1::<f32>().map_err(petal::Error::from);
/// // A quarter is left, four times as large; without random numbers all are, as they were.
/// let y = run(Some(&mut stream))?;
/// assert!(y.iter().all(|&y| y == 0.0 || y == 4.0));
/// assert!((200..300).contains(&y.iter().filter(|&&y| y == 4.0).count()));
/// assert_eq!(run(None)?, [1.0; 1000]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Probability that a number is dropped, in `0..1`.
    pub p: f64,
}

impl Dropout {
    fn mask(&self, count: usize, stream: &mut Stream) -> Vec<f32> {
        let keep = (1.0 / (1.0 - self.p)) as f32;
        (0..count).map(|_| if stream.chance(self.p) { 0.0 } else { keep }).collect()
    }
}

impl Step for Dropout {
    fn describe(&self) -> Description {
        Description { kind: "dropout", settings: json!({ "p": self.p }), parameters: Vec::new() }
    }

    fn output(&self, input: Size) -> Size {
        input
    }

    fn grain(&self) -> Grain {
        Grain::Batch
    }

    fn is_there(&self, draws: bool) -> bool {
        draws && self.p > 0.0
    }

    fn needs(&self, _: &Place) -> Needs {
        Needs::default()
    }

    fn ready(&self, place: &Place, _: &[Bound], draws: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        let Some(Draws { stream, pictures }) = draws else {
            return Err(Error::new(ErrorKind::Tensor, "dropout without random numbers"));
        };
        Ok(Box::new(ReadyDropout { mask: self.mask(pictures * place.input.len(), stream) }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, _: &[Tensor], draws: Option<&mut Stream>) -> Result<Tensor> {
        let Some(stream) = draws else { return Ok(x.clone()) };
        let (b, c, h, w) = x.dims4()?;
        let mask = Tensor::from_vec(self.mask(x.elem_count(), stream), (b, h, w, c), x.device())?;
        Ok((x * mask.permute((0, 3, 1, 2))?)?)
    }

    fn onnx(&self, _: &mut Graph, site: &Site) -> Result<Value> {
        Ok(site.input.clone())
    }
}

#[derive(Debug)]
struct ReadyDropout {
    /// For the whole batch.
    mask: Vec<f32>,
}

impl Ready for ReadyDropout {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, _: &Memory) {
        assert_eq!(x.len(), self.mask.len(), "the batch that numbers were drawn for");
        for ((y, x), mask) in y.iter_mut().zip(x).zip(&self.mask) {
            *y = x * mask;
        }
    }

    fn backward(&self, _: Left, dy: &mut [f32], wanted: Wanted, _: &Memory) {
        let Some(Sum { accumulate, to }) = wanted.input else { return };
        for ((dx, dy), mask) in to.iter_mut().zip(dy).zip(&self.mask) {
            *dx = if accumulate { *dx + *dy * mask } else { *dy * mask };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seed::{Purpose, Seed};

    #[test]
    fn dropout_keeps_the_mean() {
        let mask = Dropout { p: 0.3 }.mask(10_000, &mut Seed(1).stream(Purpose::Dropout, 0, 0));
        let mean = mask.iter().sum::<f32>() / 10_000.0;
        // Three standard deviations of the mean of 10,000 draws are 0.02.
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }
}
