//! A model as an ONNX graph.

use super::architecture::Architecture;
use super::body::trainable_backbones;
use super::model::Model;
use crate::base::error::{Error, ErrorKind, Result};
use crate::nn::onnx::{Graph, Value};

impl Model {
    /// Adds the network to a graph, with its weights as they are now: from normalised images `[N, 3, H, W]` to logits `[N, K]`, without dropout. It
    /// computes in f32, whatever [`Model::precision`] says.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a backbone from candle-transformers; [`ErrorKind::Tensor`] where pictures of this size do not fit the network.
    pub fn onnx(&self, graph: &mut Graph, images: Value) -> Result<Value> {
        self.body().network().map_err(|_| self.refused())?;
        self.program().onnx(graph, self.params(), images)
    }

    fn refused(&self) -> Error {
        let name = match self.architecture() {
            Architecture::Transfer { backbone, .. } => backbone.name(),
            Architecture::Baseline { .. } => "baseline",
        };
        let what = format!(
            "{name} cannot be written as ONNX: it comes from candle-transformers as a whole, and tells nothing of its layers"
        );
        Error::new(ErrorKind::Config, what).mend(format!("train the baseline, or one of {}", trainable_backbones()))
    }
}
