//! Attention of several heads among the pixels of a picture.

use candle_core::Tensor;
use serde_json::json;

use super::step::{Bound, Description, Draws, Left, Needs, Place, Ready, Site, Size, Step, Sum, Wanted};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Stream;
use crate::kernels::{self, Memory, attention};
use crate::nn::onnx::{Attribute, Graph, Value, ints};

/// Attention of several heads (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>) among the pixels of a picture, each a token: of queries, keys and
/// values as one dense layer makes them, `[B, h, w, 3 · C]`, to what each token takes of the values, `[B, h, w, C]`. As timm's `Attention` between its layers
/// `qkv` and `proj`.
///
/// It computes in `f32`, whatever the program's precision.
///
/// ```
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::Attention;
///
/// // Two tokens, one head of one number: query, key, value. The first token's query is 0, so it takes both values alike; the second's sees the key of the
/// // second alone.
/// let mut program = Program::default();
/// program.add(Attention { heads: 1 }, 0, None);
/// let attention = Runner::new(&program, &Params::default(), Size { h: 2, w: 1, c: 3 })?;
/// assert_eq!(attention.run(&[0.0, 0.0, 2.0, 100.0, 1.0, 4.0]), [3.0, 4.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Heads, which divide the channels of the output evenly among them.
    pub heads: usize,
}

impl Attention {
    fn geometry(&self, Size { h, w, c }: Size) -> kernels::Attention {
        kernels::Attention { tokens: h * w, channels: c / 3, heads: self.heads }
    }

    /// How much of each token's value each token takes, in Candle's operations with a graph: of `[B, 3 · C, h, w]`, `[B, heads, h · w, h · w]` with a row for
    /// each token that is taken from and a column for each that takes, whose sum is 1.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`] where the channels are not those of so many heads; what Candle can give.
    pub fn weights(&self, x: &Tensor) -> Result<Tensor> {
        let [q, k] = [self.part(x, 0)?, self.part(x, 1)?];
        let width = q.dim(2)? as f64;
        let scores = (k.t()?.contiguous()?.matmul(&q)? * (1.0 / width.sqrt()))?;
        let weights = scores.broadcast_sub(&scores.max_keepdim(2)?.detach())?.exp()?;
        Ok(weights.broadcast_div(&weights.sum_keepdim(2)?)?)
    }

    /// What the tokens take by such weights: `[B, C, h, w]`.
    ///
    /// # Errors
    /// As [`Attention::weights`].
    pub fn taken(&self, x: &Tensor, weights: &Tensor) -> Result<Tensor> {
        let (pictures, c, h, w) = x.dims4()?;
        Ok(self.part(x, 2)?.matmul(weights)?.reshape((pictures, c / 3, h, w))?)
    }

    /// Queries, keys or values, `[B, heads, width, h · w]`.
    fn part(&self, x: &Tensor, part: usize) -> Result<Tensor> {
        let (pictures, c, h, w) = x.dims4()?;
        self.check(c)?;
        let parts = x.reshape((pictures, 3, self.heads, c / 3 / self.heads, h * w))?;
        Ok(parts.narrow(1, part, 1)?.squeeze(1)?.contiguous()?)
    }

    fn check(&self, channels: usize) -> Result<()> {
        if self.heads > 0 && channels > 0 && channels.is_multiple_of(3 * self.heads) {
            return Ok(());
        }
        let what = format!(
            "attention of {} heads takes a multiple of three times as many channels; got {channels}",
            self.heads
        );
        Err(Error::new(ErrorKind::Tensor, what))
    }
}

impl Step for Attention {
    fn describe(&self) -> Description {
        Description { kind: "attention", settings: json!({ "heads": self.heads }), parameters: Vec::new() }
    }

    fn output(&self, input: Size) -> Size {
        Size { c: input.c / 3, ..input }
    }

    fn needs(&self, place: &Place) -> Needs {
        Needs { input: true, output: true, extra: self.geometry(place.input).statistics() }
    }

    fn ready(&self, place: &Place, _: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        self.check(place.input.c)?;
        Ok(Box::new(ReadyAttention { attention: self.geometry(place.input) }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, _: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        self.taken(x, &self.weights(x)?)
    }

    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let x = site.input;
        self.check(x.size().c)?;
        // It has no tensors and so no name; what it reads has one.
        let named = |part: &str| format!("{}.{part}", x.stem());
        let Size { h, w, c } = x.size();
        let (heads, tokens) = (self.heads, h * w);
        let width = c / 3 / heads;
        let shape = graph.whole_numbers(&named("parts.shape"), &[0, 3, heads as i64, width as i64, tokens as i64]);
        let parts = vec![3, heads, width, tokens];
        let parts = graph.node("Reshape", &named("parts"), &[&x.name, &shape], &[], (parts, None)).name;
        let by_head = vec![heads, width, tokens];
        let [q, k, v] = [("query", 0), ("key", 1), ("value", 2)].map(|(part, index)| {
            let index = graph.whole_number(index);
            let axis = [("axis", Attribute::Int(1))];
            graph.node("Gather", &named(part), &[&parts, &index], &axis, (by_head.clone(), None)).name
        });
        let turned = (vec![heads, tokens, width], None);
        let k = graph.node("Transpose", &named("key.turned"), &[&k], &[("perm", ints(&[0, 1, 3, 2]))], turned).name;
        let among = || (vec![heads, tokens, tokens], None);
        let scores = graph.node("MatMul", &named("products"), &[&k, &q], &[], among()).name;
        let scale = graph.number(1.0 / (width as f32).sqrt());
        let scores = graph.node("Mul", &named("scores"), &[&scores, &scale], &[], among()).name;
        let weights =
            graph.node("Softmax", &named("weights"), &[&scores], &[("axis", Attribute::Int(2))], among()).name;
        let taken = graph.node("MatMul", &named("taken"), &[&v, &weights], &[], (by_head, None)).name;
        let shape = graph.whole_numbers(&named("attention.shape"), &[0, (c / 3) as i64, h as i64, w as i64]);
        let made = (vec![c / 3, h, w], x.through(self, &[])?);
        Ok(graph.node("Reshape", &named("attention"), &[&taken, &shape], &[], made))
    }
}

#[derive(Debug)]
struct ReadyAttention {
    attention: kernels::Attention,
}

impl Ready for ReadyAttention {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], statistics: Option<&mut [f32]>, memory: &Memory) {
        attention::forward(&self.attention, x, y, statistics, memory);
    }

    fn backward(&self, Left { x, y, extra }: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory) {
        if let Some(Sum { accumulate, to }) = wanted.input {
            attention::backward(&self.attention, x, (y, dy), extra, accumulate, memory, to);
        }
    }
}
