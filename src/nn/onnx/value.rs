//! What flows through a graph.

use candle_core::Tensor;

/// What flows through a graph: `[N, …]` for a batch of `N`.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name in the graph.
    pub name: String,
    /// Its shape behind the batch: `[C, h, w]` of maps, `[D]` of numbers without a place.
    pub shape: Vec<usize>,
    /// What it is for some pictures, where ranges are measured.
    pub sample: Option<Tensor>,
    /// What one step of its 8 bits is, where it is rounded to such.
    pub(super) scale: Option<f32>,
}

/// What the name of a value ends with that was rounded.
pub(super) const ROUNDED: &str = ".rounded";

impl Value {
    /// Its name, the same whether it is rounded or not: what nodes are named after that have no tensors of their own.
    pub fn stem(&self) -> &str {
        self.name.strip_suffix(ROUNDED).unwrap_or(&self.name)
    }
}
