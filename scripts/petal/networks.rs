//! `petal networks`

use clap::Args;
use petal::config::Precision;
use petal::models::registry;
use petal::prelude::*;
use serde_json::{Value, json};

use crate::bench;
use crate::output::Output;

/// Which networks, and what is asked of them.
#[derive(Args)]
pub(crate) struct Options {
    /// Measure their speed on this machine, too: minutes.
    #[arg(long)]
    measure: bool,
    /// In what numbers they multiply while they are measured: f32 or bf16.
    #[arg(long, value_parser = crate::parsed::<Precision>, default_value = "f32")]
    precision: Precision,
    /// Only those that have this in their name.
    #[arg(long, default_value = "")]
    only: String,
}

impl Options {
    /// Lists the networks with all that is known of them before a training.
    pub(crate) fn run(self, project: &Project) -> Result<Output> {
        let mut networks = Networks::all();
        networks.backbones.retain(|backbone| backbone.name().contains(&self.only));
        if networks.backbones.is_empty() {
            return Err(Error::unknown("only", &self.only, &Backbone::ALL.map(Backbone::name)));
        }
        if self.measure {
            for &backbone in &networks.backbones {
                eprintln!("measuring {backbone}");
                networks.speeds.push(bench::speeds(backbone, self.precision, project)?);
            }
        }
        let one = |(place, &backbone): (usize, &Backbone)| -> Value {
            let weights = registry::weights(backbone);
            let mut json = json!({
                "backbone": backbone.name(),
                "weights": weights.name,
                "pixels": weights.preprocess.size,
                "features": weights.features,
                "parameters": weights.parameters,
                "file_bytes": registry::file_bytes(backbone),
                "imagenet_top1": weights.top1,
                "licence": weights.licence,
                "paper": weights.paper,
                "embedded": backbone.has_embedded_weights(),
            });
            if let Some([forward, training]) = networks.speeds.get(place) {
                json["images_per_second"] = json!({ "forward": forward, "all_layers": training });
            }
            json
        };
        let all: Vec<Value> = networks.backbones.iter().enumerate().map(one).collect();
        Ok(Output::done(networks.view().without_hints().text(), json!({ "networks": all })))
    }
}
