//! A model as an ONNX graph.

use super::model::Model;
use crate::base::error::Result;
use crate::nn::onnx::{Graph, Value};

impl Model {
    /// Adds the network to a graph, with its weights as they are now: from normalised images `[N, 3, H, W]` to logits `[N, K]`, without dropout. It
    /// computes in f32, whatever [`Model::precision`] says.
    ///
    /// # Errors
    /// [`ErrorKind::Tensor`](crate::ErrorKind::Tensor) where pictures of this size do not fit the network.
    pub fn onnx(&self, graph: &mut Graph, images: Value) -> Result<Value> {
        self.program().onnx(graph, self.params(), images)
    }
}
