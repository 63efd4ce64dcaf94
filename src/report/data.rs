//! Views of the project, the settings and the photos.

use super::table::{Cells, Table, bytes, thousands};
use super::{View, shows};
use crate::config::{Config, PhaseConfig, Source, WeightsFrom};
use crate::data::{Dataset, Split, Splits, Verification};
use crate::error::Result;
use crate::models::registry;
use crate::project::Project;

shows!(Project, Config, Dataset, Verification, Splits);

impl Project {
    /// The folders, the device, the machine.
    pub fn view(&self) -> View {
        let machine = &self.machine;
        let device = if self.device.is_cpu() {
            format!("CPU, {} threads", machine.threads)
        } else {
            format!("{:?}", self.device.location())
        };
        let free = if machine.disk_free > 0 { bytes(machine.disk_free) } else { "not known".into() };
        View::new(format!("petal {}", env!("CARGO_PKG_VERSION"))).facts([
            ("device", device),
            ("memory", format!("{} free of {}", bytes(machine.memory_free), bytes(machine.memory))),
            ("disk", format!("{free} free")),
            ("photos", self.data.display().to_string()),
            ("models and runs", self.models.display().to_string()),
            ("figures", self.visualizations.display().to_string()),
        ])
    }
}

impl Config {
    /// The settings, in words.
    pub fn view(&self) -> View {
        let source = match &self.source {
            Source::TfFlowers => "TF Flowers, 3,670 photos of 5 kinds of flowers".into(),
            Source::Synthetic { per_class } => format!("drawn flowers, 5 kinds, {per_class} pictures each"),
            Source::Folder(folder) => format!("the folder {}", folder.display()),
        };
        let weights = registry::weights(self.backbone);
        let from = match &self.weights {
            WeightsFrom::Hub => format!("{} from the hub, {}", weights.name, weights.licence),
            WeightsFrom::Embedded => format!("{}, in the repository, {}", weights.name, weights.licence),
            WeightsFrom::Random => "random: it learns little".into(),
            WeightsFrom::File(path) => format!("the file {}", path.display()),
        };
        let phase = |PhaseConfig { epochs, patience, learning_rate }: PhaseConfig| match epochs {
            0 => "left out".into(),
            _ => format!("up to {epochs} epochs, patience {patience}, learning rate {learning_rate:e}"),
        };
        let augment = &self.augment;
        let percent = |fraction: f64| format!("{:.0} %", 100.0 * fraction);
        View::new("Settings")
            .facts([
                ("seed", self.seed.to_string()),
                ("photos", source),
                ("split", {
                    let split = &self.split;
                    format!("{} train, {} val, {} test", percent(split.train), percent(split.val), percent(split.test))
                }),
                ("network", self.backbone.to_string()),
                ("weights", from),
                ("input", format!("{0} × {0} pixels, batches of {1}", self.image_size, self.batch_size)),
                ("augmentation", {
                    let flip = if augment.flip { "flip, " } else { "" };
                    format!(
                        "{flip}rotate ±{}°, zoom up to {}, brightness ±{}, contrast ±{}; {} views of each photo",
                        augment.rotate,
                        augment.zoom,
                        percent(augment.brightness),
                        percent(augment.contrast),
                        self.views
                    )
                }),
                ("head", format!("{} units, dropout {}", self.classifier.hidden, self.classifier.dropout)),
                ("phase 1: head", phase(self.head)),
                ("phase 2: fine-tune", phase(self.fine_tune)),
                ("baseline", phase(self.baseline)),
            ])
            .hint("All fields are public: let config = Config { seed: 7, ..config };")
    }
}

impl Dataset {
    /// Classes and counts, licence, and what was left aside.
    pub fn view(&self) -> View {
        let counts = self.counts();
        let table = Table::new([
            ("class", Cells::Text(counts.keys().map(ToString::to_string).collect())),
            ("photos", Cells::Counts(counts.values().map(|count| *count as u64).collect())),
        ]);
        let title = format!("{} photos of {} classes", thousands(self.samples.len() as u64), self.classes.len());
        let mut view =
            View::new(title).facts([("folder", self.root.display().to_string()), ("licence", self.licence.clone())]);
        view = with(view, table);
        if !self.ignored.is_empty() {
            let what = format!("{} other files and folders were left aside", self.ignored.len());
            view = view.line(what).line(short_list(self.ignored.iter().map(|(path, why)| {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                format!("{name} ({why})")
            })));
        }
        view.hint("next: photos.verify(), then photos.split(&project, &config)")
    }
}

impl Verification {
    /// How many photos can be read, and why the others can't.
    pub fn view(&self) -> View {
        let good = thousands(self.good.len() as u64);
        if self.bad.is_empty() {
            return View::new(format!("all {good} photos can be read"));
        }
        let name = |path: &std::path::Path| {
            let class = path.parent().and_then(|p| p.file_name()).unwrap_or_default().to_string_lossy();
            format!("{class}/{}", path.file_name().unwrap_or_default().to_string_lossy())
        };
        let table = Table::new([
            ("file", Cells::Text(self.bad.iter().map(|(path, _)| name(path)).collect())),
            ("why", Cells::Text(self.bad.iter().map(|(_, why)| why.clone()).collect())),
        ]);
        let view = View::new(format!("{good} photos can be read, {} cannot", self.bad.len()));
        with(view, table).hint("they are left out of the split; mend or remove the files to be rid of this list")
    }
}

impl Splits {
    /// Photos by class and part, duplicates, what was left out.
    pub fn view(&self) -> View {
        let parts = Split::ALL.map(|split| {
            let mut counts = vec![0; self.classes.len()];
            self.get(split).samples.iter().for_each(|sample| counts[sample.target] += 1);
            counts
        });
        let column = |part: &Vec<u64>| Cells::Counts(part.iter().copied().chain([part.iter().sum()]).collect());
        let total: Vec<u64> = (0..self.classes.len()).map(|class| parts.iter().map(|part| part[class]).sum()).collect();
        let table = Table::new([
            ("class", Cells::Text(self.classes.iter().cloned().chain(["all".to_string()]).collect())),
            ("train", column(&parts[0])),
            ("val", column(&parts[1])),
            ("test", column(&parts[2])),
            ("all", column(&total)),
        ]);
        let near = match self.duplicates {
            0 => "no photo is (nearly) the same as another".into(),
            count => format!("{count} photos are (nearly) the same as another; each such group is in one part"),
        };
        let left_out = match self.left_out.len() {
            0 => "no photo was left out".into(),
            count => format!("{count} photos cannot be read and are in no part"),
        };
        let mut view = with(View::new("Split"), table).line(format!("{near}; {left_out}"));
        if !self.conflicts.is_empty() {
            let pairs = short_list(self.conflicts.iter().map(|(a, b)| format!("{a} and {b}")));
            view = view.line(format!("the same photo in two classes: {pairs}"));
        }
        view.facts([("folder", self.root.display().to_string())])
    }
}

/// Adds a table, or says why there is none.
pub(super) fn with(view: View, table: Result<Table>) -> View {
    match table {
        Ok(table) => view.table(table),
        Err(error) => view.line(error.to_string()),
    }
}

fn short_list(items: impl ExactSizeIterator<Item = String>) -> String {
    const MOST: usize = 5;
    let more = items.len().saturating_sub(MOST);
    let shown = items.take(MOST).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown}, and {more} more") } else { shown }
}
