//! What a step of a network is, and what it is once it is ready to run.

use std::any::Any;
use std::fmt::Debug;

use candle_core::Tensor;
use serde::Serialize;

use crate::base::error::Result;
use crate::base::seed::Stream;
use crate::kernels::{Activation, Buffer, Memory, Precision, add_to};
use crate::nn::onnx::{Graph, Value};
use crate::nn::workspace::Workspace;

/// A picture's size at one place of a network: rows, columns, channels. Numbers without a place are one pixel of many channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Size {
    /// Numbers a picture.
    pub fn len(self) -> usize {
        self.h * self.w * self.c
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// How many pictures go through a step at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// A group of them, which stays in the cache on its way through several steps.
    Pictures,
    /// All of the batch: the step's weights are large, and read once; or it draws numbers for the batch in its order.
    Batch,
    /// As many as go through the steps before it.
    Any,
}

/// A tensor that a step computes with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its name in the network.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether an optimizer may change it; batch norm's statistics stay as they are.
    pub trains: bool,
}

impl Parameter {
    /// One that trains.
    pub fn new(name: String, shape: &[usize]) -> Self {
        Self { name, shape: shape.to_vec(), trains: true }
    }

    /// How many numbers it holds.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// What a step says of itself: enough to build it again, for summaries, keys and exports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Which step it is: `conv`, `linear`, ….
    pub kind: &'static str,
    /// Its settings by name.
    pub settings: serde_json::Value,
    /// Its tensors.
    pub parameters: Vec<Parameter>,
}

/// What of the way forward a step's backward reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Its input.
    pub input: bool,
    /// Its output.
    pub output: bool,
    /// Numbers a picture that forward leaves for it besides.
    pub extra: usize,
}

/// Where in a network a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Size of a picture of its input.
    pub input: Size,
    /// The activation that its input came out of, where this step takes the gradient back through it; else none.
    pub through: Activation,
    /// In what it multiplies.
    pub precision: Precision,
    /// Its own activation; none where the step that reads its output takes the gradient back through it.
    pub own: Activation,
}

/// A parameter's tensor, and whether its gradient is wanted.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The numbers.
    pub tensor: Tensor,
    /// Whether it trains.
    pub trains: bool,
}

/// Where in a graph a step stands.
#[derive(Debug)]
pub struct Site<'a> {
    /// What stands before the names of its tensors.
    pub prefix: &'a str,
    /// What it reads.
    pub input: &'a Value,
    /// What it adds before its activation.
    pub residual: Option<&'a Value>,
    /// Its tensors, on the CPU, in its order.
    pub tensors: &'a [Bound],
}

impl Site<'_> {
    /// A name of the step's in the network.
    pub fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// Random numbers for a batch that trains.
#[derive(Debug)]
pub struct Draws<'a> {
    /// Where they come from.
    pub stream: &'a mut Stream,
    /// Pictures in the batch.
    pub pictures: usize,
}

/// One step of a network: what it computes, from which tensors, and how it says so.
///
/// Pictures are `[B, h, w, C]`. A step knows nothing of its neighbours but what [`Place`] tells; which registers it reads stands in
/// the program.
pub trait Step: Any + Debug + Send + Sync {
    /// What it is.
    fn describe(&self) -> Description;

    /// Its tensors, in the order in which [`Step::ready`] and [`Step::composed`] take them. Names are below the network's own prefix.
    fn parameters(&self) -> Vec<Parameter> {
        Vec::new()
    }

    /// Size of a picture of its output.
    fn output(&self, input: Size) -> Size;

    /// How many pictures go through it at once.
    fn grain(&self) -> Grain {
        Grain::Pictures
    }

    /// Whether it does anything. `draws`: whether there are random numbers.
    fn is_there(&self, _draws: bool) -> bool {
        true
    }

    /// The activation that its output came out of, where whoever reads the output can take the gradient back through it.
    fn activation(&self) -> Activation {
        Activation::None
    }

    /// Whether its backward can take the gradient of its input through the activation that the input came out of.
    fn goes_through_activation(&self) -> bool {
        false
    }

    /// What its backward reads of the way forward.
    fn needs(&self, place: &Place) -> Needs;

    /// The step with its weights as they are now, ready to run on pictures of one size.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`](crate::ErrorKind::Tensor) where pictures of this size don't fit the weights.
    fn ready(&self, place: &Place, tensors: &[Bound], draws: Option<Draws>, memory: &Memory) -> Result<Box<dyn Ready>>;

    /// The same in Candle's own operations, with a graph, on any device: `[B, C, h, w]` to `[B, C', h', w']`. `residual` has the
    /// output's shape.
    ///
    /// # Errors
    /// As [`Step::ready`]; and what Candle can give.
    fn composed(
        &self,
        x: &Tensor,
        residual: Option<&Tensor>,
        tensors: &[Tensor],
        draws: Option<&mut Stream>,
    ) -> Result<Tensor>;

    /// The same as nodes of an ONNX graph, without random numbers: `[N, C, h, w]` to `[N, C', h', w']`, or `[N, D]` where the last step
    /// left no place. Gives its output, with a sample where the input has one. Weights go through [`Graph::weights`].
    ///
    /// # Errors
    /// What the graph says, and what Candle can give.
    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value>;
}

/// Where numbers go: added to what is there, or in its place.
#[derive(Debug)]
pub struct Sum<'a> {
    /// Whether they are added.
    pub accumulate: bool,
    /// What they go to.
    pub to: &'a mut [f32],
}

impl Sum<'_> {
    /// Puts there what `make` overwrites a buffer of the same length with.
    pub(super) fn put(self, memory: &Memory, make: impl FnOnce(&mut [f32])) {
        if !self.accumulate {
            return make(self.to);
        }
        let mut more = memory.buffer(self.to.len());
        make(&mut more);
        add_to(self.to, &more);
    }
}

/// Sums of a step's weight gradients, in an order that the step knows; as long as [`Ready::sums`] says.
#[derive(Debug)]
pub struct Sums<'a> {
    /// Whether a gradient is added to them, or replaces them.
    pub accumulate: bool,
    /// The sums.
    pub to: &'a mut [Buffer],
}

/// What a step left on the way forward. Empty where [`Step::needs`] asks for none.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// Its input.
    pub x: &'a [f32],
    /// Its output.
    pub y: &'a [f32],
    /// What it left besides.
    pub extra: &'a [f32],
}

/// The gradients that are asked for.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Of the input; before the activation that [`Place::through`] names.
    pub input: Option<Sum<'a>>,
    /// Of the weights.
    pub weights: Option<Sums<'a>>,
}

/// A step with its weights, ready to run on pictures of one size.
pub trait Ready: Debug + Send + Sync {
    /// The output `y`, overwritten, of pictures `x`. `extra` is there on the way to a backward pass, and as long as [`Needs`] says.
    fn forward(&self, x: &[f32], residual: Option<&[f32]>, y: &mut [f32], extra: Option<&mut [f32]>, memory: &Memory);

    /// Called once before the way back. `wants_input`: whether a gradient of the input will be asked for.
    ///
    /// # Errors
    /// What reading a tensor can give.
    fn ready_backward(&mut self, _wants_input: bool, _memory: &Memory) -> Result<()> {
        Ok(())
    }

    /// Lengths of its sums of weight gradients; none where nothing of it trains.
    fn sums(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Takes the gradient of the output back. Leaves in `dy` the gradient of what was added as a residual.
    fn backward(&self, left: Left, dy: &mut [f32], wanted: Wanted, memory: &Memory);

    /// Leaves the gradients of its tensors in the workspace, from their sums over all pictures.
    ///
    /// # Errors
    /// What reading a tensor can give.
    fn finish(&self, _sums: Vec<Buffer>, _workspace: &Workspace) -> Result<()> {
        Ok(())
    }
}
