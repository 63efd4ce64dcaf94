//! A model's summary, stage by stage.

use super::cut::Cut;
use super::model::Model;
use crate::base::error::Result;
use crate::nn::program::Size;

/// One line of a network's summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSummary {
    /// `stem`, `layer1`, …, `head`.
    pub name: String,
    /// Shape of one picture's output: `[C, h, w]` or `[D]`.
    pub output: Vec<usize>,
    /// Numbers in its weights, without batch norm's statistics.
    pub parameters: usize,
    /// How many of them train.
    pub trainable: usize,
}

impl Model {
    /// Stage by stage: output shape and parameters, and how many of them train after this cut.
    pub fn summary(&self, cut: Cut, image_size: usize) -> Result<Vec<StageSummary>> {
        let trainable = self.trainable(cut);
        let count = |names: &mut dyn Iterator<Item = String>| -> Result<(usize, usize)> {
            let (mut all, mut train) = (0, 0);
            for name in names {
                let param = self.params().get(&name)?;
                if !param.buffer {
                    all += param.var.elem_count();
                    train += if trainable.binary_search(&name).is_ok() { param.var.elem_count() } else { 0 };
                }
            }
            Ok((all, train))
        };
        let mut lines = Vec::new();
        let network = self.body();
        let sizes = network.program.sizes(Size { h: image_size, w: image_size, c: 3 });
        let mut from = 0;
        for stage in &network.stages {
            let names = network.tensors(from, stage.end).into_keys();
            let mut names = names.map(|name| format!("{}{name}", self.architecture().prefix()));
            let (parameters, trainable) = count(&mut names)?;
            let Size { h, w, c } = sizes[stage.end];
            lines.push(StageSummary { name: stage.name.clone(), output: vec![c, h, w], parameters, trainable });
            from = stage.end;
        }
        let (parameters, trainable) = count(&mut self.head_names().into_iter())?;
        let output = vec![self.architecture().classes()];
        lines.push(StageSummary { name: "head".into(), output, parameters, trainable });
        Ok(lines)
    }
}
