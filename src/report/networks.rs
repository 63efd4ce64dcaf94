//! The pretrained networks side by side, so that one can be chosen.

use super::table::{Cells, Table};
use super::{View, shows};
use crate::base::config::Backbone;
use crate::base::error::Result;
use crate::models::registry;

/// The pretrained networks, to choose one.
///
/// ```
/// use petal::prelude::*;
///
/// let networks = Networks::all(); // as a cell's last line: a table
/// assert!(networks.view().text().contains("efficientnet-lite0"));
/// let small = Networks { backbones: vec![Backbone::EfficientnetLite0], ..networks };
/// assert_eq!(small.table()?.len(), 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Networks {
    /// Which.
    pub backbones: Vec<Backbone>,
    /// What was measured of each on this machine, where it was: photos a second that go forward, and through a training step of all layers.
    pub speeds: Vec<[f64; 2]>,
}

shows!(Networks);

impl Networks {
    /// All of them, family by family; no speeds.
    pub fn all() -> Self {
        Self { backbones: Backbone::ALL.to_vec(), speeds: Vec::new() }
    }

    /// What is known of each.
    pub fn view(&self) -> View {
        View::new(format!("{} pretrained networks", self.backbones.len())).table_or_why(self.table()).hint(
            "ImageNet: the share of its validation photos that the network tells by its own classifier, in percent, by timm's results; your photos may say \
             otherwise. Chosen by `backbone` in the settings",
        )
    }

    /// A row a network.
    ///
    /// # Errors
    /// [`ErrorKind::Render`](crate::ErrorKind::Render) if there are other speeds than networks.
    pub fn table(&self) -> Result<Table> {
        let text =
            |cell: &dyn Fn(Backbone) -> String| Cells::Text(self.backbones.iter().map(|&one| cell(one)).collect());
        let count = |cell: &dyn Fn(Backbone) -> usize| {
            Cells::Counts(self.backbones.iter().map(|&one| cell(one) as u64).collect())
        };
        let numbers =
            |cell: &dyn Fn(Backbone) -> f64| Cells::Numbers(self.backbones.iter().map(|&one| cell(one)).collect(), 1);
        let mut columns = vec![
            ("network", text(&|one| one.name().into())),
            ("weights", text(&|one| registry::weights(one).name.into())),
            ("pixels", count(&|one| registry::weights(one).preprocess.size)),
            ("features", count(&|one| registry::weights(one).features)),
            ("million parameters", numbers(&|one| registry::weights(one).parameters as f64 / 1e6)),
            ("file MB", numbers(&|one| registry::file_bytes(one) as f64 / 1e6)),
            ("ImageNet %", text(&|one| registry::weights(one).top1.map_or("–".into(), |top1| format!("{top1:.1}")))),
            ("licence", text(&|one| registry::weights(one).licence.into())),
        ];
        if !self.speeds.is_empty() {
            let rate = |which: usize| Cells::Numbers(self.speeds.iter().map(|speeds| speeds[which]).collect(), 1);
            columns.extend([("forward img/s", rate(0)), ("training img/s", rate(1))]);
        }
        Table::new(columns)
    }
}
