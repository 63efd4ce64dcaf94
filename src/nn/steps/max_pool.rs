//! Max pooling; padding is never the maximum.

use candle_core::{D, Tensor};
use serde_json::json;

use super::step::{Bound, Description, Draws, Left, Needs, Place, Ready, Site, Size, Step, Wanted};
use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{self, Memory, pool};
use crate::nn::onnx::{Graph, Value, ints};

/// The maximum of each square window.
///
/// ```
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::MaxPool;
///
/// let mut program = Program::default();
/// program.add(MaxPool { kernel: 2, stride: 2, pad: 0 }, 0, None);
/// // Two rows of four pixels.
/// let maximum = Runner::new(&program, &Params::default(), Size { h: 2, w: 4, c: 1 })?;
/// assert_eq!(maximum.run(&[1.0, 2.0, -5.0, -4.0, 4.0, 3.0, -3.0, -2.0]), [4.0, -2.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Side of the window.
    pub kernel: usize,
    /// Step between windows.
    pub stride: usize,
    /// Padding on each side.
    pub pad: usize,
}

impl MaxPool {
    fn geometry(&self, Size { h, w, c }: Size) -> kernels::MaxPool {
        let Self { kernel, stride, pad } = *self;
        kernels::MaxPool { in_h: h, in_w: w, channels: c, kernel, stride, pad }
    }
}

impl Step for MaxPool {
    fn describe(&self) -> Description {
        let settings = json!({ "kernel": self.kernel, "stride": self.stride, "pad": self.pad });
        Description { kind: "max_pool", settings, parameters: Vec::new() }
    }

    fn output(&self, input: Size) -> Size {
        let pool = self.geometry(input);
        Size { h: pool.out_h(), w: pool.out_w(), c: pool.channels }
    }

    fn goes_through_activation(&self) -> bool {
        true
    }

    /// Of the input it is enough to know where the maxima were.
    fn needs(&self, place: &Place) -> Needs {
        Needs { input: false, output: true, extra: self.geometry(place.input).out_len() }
    }

    fn ready(&self, place: &Place, _: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        Ok(Box::new(ReadyMaxPool { pool: self.geometry(place.input), place: *place }))
    }

    /// Candle's max pooling has no backward where kernel and stride differ, and splits ties; here the first maximum gets it all.
    fn composed(&self, x: &Tensor, _: Option<&Tensor>, _: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        let Self { kernel, stride, pad } = *self;
        let (b, c, h, w) = x.dims4()?;
        let lowest = |shape: (usize, usize, usize, usize)| Tensor::full(f32::MIN, shape, x.device());
        let (side, above) = (lowest((b, c, h, pad))?, lowest((b, c, pad, w + 2 * pad))?);
        let padded = if pad == 0 {
            x.clone()
        } else {
            let wide = Tensor::cat(&[&side, x, &side], 3)?;
            Tensor::cat(&[&above, &wide, &above], 2)?
        };
        let outputs = |size: usize| (size + 2 * pad - kernel) / stride + 1;
        let (oh, ow) = (outputs(h), outputs(w));
        let picks = |offset: usize, count: usize| -> candle_core::Result<Tensor> {
            let indices: Vec<u32> = (0..count).map(|o| (o * stride + offset) as u32).collect();
            Tensor::from_vec(indices, count, x.device())
        };
        let mut windows = Vec::with_capacity(kernel * kernel);
        for dy in 0..kernel {
            let rows = padded.index_select(&picks(dy, oh)?, 2)?;
            for dx in 0..kernel {
                windows.push(rows.index_select(&picks(dx, ow)?, 3)?);
            }
        }
        let windows = Tensor::stack(&windows, 4)?;
        let first = windows.detach().argmax_keepdim(D::Minus1)?;
        Ok(windows.gather(&first, D::Minus1)?.squeeze(4)?)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (x, Self { kernel, stride, pad }) = (site.input, *self);
        let settings =
            [("kernel_shape", ints(&[kernel; 2])), ("strides", ints(&[stride; 2])), ("pads", ints(&[pad; 4]))];
        let Size { h, w, c } = self.output(x.size());
        let made = (vec![c, h, w], x.through(self, &[])?);
        Ok(graph.node("MaxPool", &site.name("max_pool"), &[&x.name], &settings, made))
    }
}

#[derive(Debug)]
struct ReadyMaxPool {
    pool: kernels::MaxPool,
    place: Place,
}

impl Ready for ReadyMaxPool {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], places: Option<&mut [f32]>, _: &Memory) {
        pool::max_pool_forward(&self.pool, x, y, places);
    }

    fn backward(&self, Left { y, extra: places, .. }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        if let Some(sum) = wanted.input {
            sum.put(memory, |dx| pool::max_pool_backward(&self.pool, y, places, dy, self.place.through, dx));
        }
    }
}
