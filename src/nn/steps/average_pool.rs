//! The average of each channel over the whole picture.

use candle_core::Tensor;
use serde_json::json;

use super::step::{Bound, Description, Draws, Left, Needs, Place, Ready, Site, Size, Step, Wanted};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Memory, pool};
use crate::nn::onnx::{Graph, Value};

/// The average of each channel over the whole picture: `[B, h, w, C]` to `[B, 1, 1, C]`.
///
/// ```
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::AveragePool;
///
/// let mut program = Program::default();
/// program.add(AveragePool, 0, None);
/// // A row of two pixels, each of two channels.
/// let average = Runner::new(&program, &Params::default(), Size { h: 1, w: 2, c: 2 })?;
/// assert_eq!(average.run(&[1.0, 10.0, 3.0, 30.0]), [2.0, 20.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AveragePool;

impl Step for AveragePool {
    fn describe(&self) -> Description {
        Description { kind: "average_pool", settings: json!({}), parameters: Vec::new() }
    }

    fn output(&self, input: Size) -> Size {
        Size { h: 1, w: 1, c: input.c }
    }

    fn needs(&self, _: &Place) -> Needs {
        Needs::default()
    }

    fn ready(&self, place: &Place, _: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        Ok(Box::new(ReadyAveragePool { input: place.input }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, _: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        Ok(x.mean_keepdim((2, 3))?)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let x = site.input;
        let made = (vec![x.size().c, 1, 1], x.through(self, &[])?);
        Ok(graph.node("GlobalAveragePool", &site.name("average_pool"), &[&x.name], &[], made))
    }
}

#[derive(Debug)]
struct ReadyAveragePool {
    input: Size,
}

impl Ready for ReadyAveragePool {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, _: &Memory) {
        pool::average_pool_forward(self.input.h * self.input.w, self.input.c, x, y);
    }

    fn backward(&self, _: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        if let Some(sum) = wanted.input {
            let Size { h, w, c } = self.input;
            sum.put(memory, |dx| pool::average_pool_backward(h * w, c, dy, dx));
        }
    }
}
