//! `petal audit`

use std::path::PathBuf;

use clap::Args;
use petal::data::Dataset;
use petal::eval::Audit;
use petal::eval::audit::{Finding, Kind, TABLE};
use petal::files::{cells, output};
use petal::prelude::*;
use serde_json::{Value, json};

use crate::LimitOptions;
use crate::output::Output;
use crate::photos::Photos;
use crate::progress::Bars;

/// Which photos, seen by which network.
#[derive(Args)]
pub(crate) struct Options {
    /// Without --photos or --labels: what `download-dataset` put into the data folder.
    #[command(flatten)]
    photos: Photos,
    /// The pretrained network whose features are taken.
    #[arg(long, default_value = "efficientnet-lite0", value_parser = crate::parsed::<Backbone>)]
    backbone: Backbone,
    /// Its weights: embedded (efficientnet-lite0 only), hub, random, or a safetensors file. Without it, embedded where there are such, else hub.
    #[arg(long, value_parser = crate::parsed::<WeightsFrom>)]
    weights: Option<WeightsFrom>,
    /// Seed of the folds.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Also write a row for each photo to this CSV file; - is the standard output.
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Also write a page with the photos of each finding and the map of all.
    #[arg(long, value_name = "PAGE.html")]
    out: Option<PathBuf>,
}

impl Options {
    /// Looks at all photos. Nothing is changed: what is to become of them, a person decides.
    pub(crate) fn run(self, project: &Project, limits: &LimitOptions) -> Result<Output> {
        self.csv.iter().try_for_each(|path| output::check_free(path, TABLE))?;
        self.out.iter().try_for_each(|path| output::check_free(path, PAGE))?;
        let is_embedded = self.backbone == Backbone::EfficientnetLite0;
        let weights = self.weights.unwrap_or(if is_embedded { WeightsFrom::Embedded } else { WeightsFrom::Hub });
        let config = Config { seed: self.seed, backbone: self.backbone, weights, ..Config::seed() };
        let config = self.photos.over(Config { limits: limits.over(config.limits), ..config });
        let photos = match self.photos.source() {
            Some(source) => Dataset::fetch_with(project, &Config { source, ..config.clone() }, &mut Bars::default())?,
            None => {
                let folder = crate::split_dataset::only_folder(&project.data.join("raw"))?;
                Dataset::fetched(project, &folder, &config)?
            }
        };
        let audit = photos.audit_with(project, &config, &mut Bars::default())?;
        let mut text = audit.summary().text();
        let mut is_taken = false;
        if let Some(path) = &self.csv {
            audit.write_csv(path)?;
            let names = audit.photos.iter().map(|photo| &photo.sample.name).chain(audit.classes.iter());
            let is_marked = names.clone().any(|name| cells::is_marked(name));
            text += &if is_marked { format!("\nin the table, {}", cells::NOTE) } else { String::new() };
            is_taken |= output::is_standard(path);
        }
        if let Some(path) = &self.out {
            let page = audit.view().without_hints().page(TITLE);
            output::write(path, PAGE, page.as_bytes())?;
            text += &format!("\npage: {}", crate::output::shown(path));
            is_taken |= output::is_standard(path);
        }
        Ok(Output::done(text, told(&audit)).aside(is_taken))
    }
}

const TITLE: &str = "Audit of photos, by petal";
/// A page of an audit, so that an earlier one is told from other files.
const PAGE: output::Kind = output::Kind {
    name: "a page of an audit",
    is: |bytes| {
        let title = format!("<title>{TITLE}</title>");
        bytes.starts_with(b"<!doctype html>") && bytes.windows(title.len()).any(|part| part == title.as_bytes())
    },
};

/// An audit for machines.
fn told(audit: &Audit) -> Value {
    let name = |photo: usize| audit.photos[photo].sample.name.clone();
    let findings = |kind: Kind| -> Vec<Value> {
        let one = |finding: &&Finding| {
            json!({
                "photo": name(finding.photo),
                "class": audit.classes[audit.photos[finding.photo].sample.target],
                "other": finding.other.map(name),
                "sure": finding.sure,
                "says": finding.says,
            })
        };
        audit.of(kind).iter().map(one).collect()
    };
    let kinds = Kind::ALL.map(|kind| (kind.name().to_string(), Value::from(findings(kind))));
    let probes = audit.probes.iter().map(|probe| {
        json!({
            "circumstance": probe.name,
            "tells": probe.told.value,
            "tells_interval_95": [probe.told.low, probe.told.high],
            "chance": probe.chance,
            "p": probe.p_value,
            "is_shown": probe.is_shown(),
            "classes": probe.classes().iter().map(|class| &audit.classes[*class]).collect::<Vec<_>>(),
        })
    });
    let pairs = audit.told.iter().flat_map(|told| &told.alike).map(|pair| {
        json!({
            "classes": [audit.classes[pair.one], audit.classes[pair.other]],
            "mixed": pair.mixed,
            "photos": pair.photos,
            "share": pair.share.value,
            "share_interval_95": [pair.share.low, pair.share.high],
            "look_the_same": pair.is_shown(),
        })
    });
    json!({
        "photos": audit.photos.len(),
        "classes": audit.classes.to_vec(),
        "network": audit.network,
        "findings": kinds.into_iter().collect::<serde_json::Map<_, _>>(),
        "copies": audit.copies,
        "told_by_content": audit.told.as_ref().map(|told| told.recall),
        "confident_joint": audit.told.as_ref().map(|told| &told.confident.joint),
        "circumstances": probes.collect::<Vec<_>>(),
        "pairs": pairs.collect::<Vec<_>>(),
        "left_out": audit.left_out,
        "not_asked": audit.not_asked,
    })
}
