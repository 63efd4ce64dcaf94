//! The first token of a row of them.

use candle_core::Tensor;
use rayon::prelude::*;
use serde_json::json;

use super::step::{Bound, Description, Draws, Left, Needs, Place, Ready, Site, Size, Step, Sum, Wanted};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::Memory;
use crate::nn::onnx::{Graph, Value};

/// The first token, which has gathered what is on the picture (Dosovitskiy et al. 2020, <https://arxiv.org/abs/2010.11929>): `[B, h, w, C]` to
/// `[B, 1, 1, C]`.
///
/// ```
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::ClassToken;
///
/// let mut program = Program::default();
/// program.add(ClassToken, 0, None);
/// // Two pictures of two tokens, each of two channels.
/// let first = Runner::new(&program, &Params::default(), Size { h: 2, w: 1, c: 2 })?;
/// assert_eq!(first.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), [1.0, 2.0, 5.0, 6.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassToken;

impl Step for ClassToken {
    fn describe(&self) -> Description {
        Description { kind: "class_token", settings: json!({}), parameters: Vec::new() }
    }

    fn output(&self, input: Size) -> Size {
        Size { h: 1, w: 1, c: input.c }
    }

    fn needs(&self, _: &Place) -> Needs {
        Needs::default()
    }

    fn ready(&self, place: &Place, _: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        Ok(Box::new(ReadyClassToken { input: place.input }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, _: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        Ok(x.narrow(2, 0, 1)?.narrow(3, 0, 1)?)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let x = site.input;
        // It has no tensors and so no name; what it reads has one.
        let named = |part: &str| format!("{}.{part}", x.stem());
        let [from, to, axes] = [("from", [0, 0]), ("to", [1, 1]), ("axes", [2, 3])]
            .map(|(part, numbers)| graph.whole_numbers(&named(&format!("class_token.{part}")), &numbers));
        let made = (vec![x.size().c, 1, 1], x.through(self, &[])?);
        Ok(graph.node("Slice", &named("class_token"), &[&x.name, &from, &to, &axes], &[], made))
    }
}

#[derive(Debug)]
struct ReadyClassToken {
    input: Size,
}

impl Ready for ReadyClassToken {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, _: &Memory) {
        for (y, x) in y.chunks_exact_mut(self.input.c).zip(x.chunks_exact(self.input.len())) {
            y.copy_from_slice(&x[..self.input.c]);
        }
    }

    fn backward(&self, _: Left, dy: &mut [f32], wanted: Wanted, _: &Memory) {
        let Some(Sum { accumulate, to }) = wanted.input else { return };
        let pictures = to.par_chunks_exact_mut(self.input.len()).zip(dy.par_chunks_exact(self.input.c));
        pictures.for_each(|(dx, dy)| {
            if !accumulate {
                dx.fill(0.0);
            }
            dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
        });
    }
}
