//! Views of the project and the settings.

use super::words::{bytes, counted};
use super::{View, shows};
use crate::base::config::{Balance, Config, Duplicates, Fit, Layers, Method, PhaseConfig, Source, WeightsFrom};
use crate::base::project::Project;
use crate::kernels;
use crate::models::registry;
use crate::train::Phase;

shows!(Project, Config);

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
        View::new(format!("petal {}", env!("CARGO_PKG_VERSION")))
            .facts([
                ("device", device),
                ("memory", format!("{} free of {}", bytes(machine.memory_free), bytes(machine.memory))),
                ("disk", format!("{free} free")),
                ("photos", self.data.display().to_string()),
                ("models and runs", self.models.display().to_string()),
                ("cache", super::cache::stand(self)),
                ("figures", self.visualizations.display().to_string()),
            ])
            .hint("next: let config = Config::from_env()?;")
    }
}

impl Config {
    /// The settings, in words.
    pub fn view(&self) -> View {
        let source = match &self.source {
            Source::TfFlowers => "TF Flowers: 5 kinds of flowers, by photographers on Flickr".into(),
            Source::Synthetic { per_class } => format!("drawn flowers, 5 kinds, {per_class} pictures each"),
            Source::Folder(folder) => format!("the folder {}", folder.display()),
            Source::Labels { table, photos } => {
                format!("the folder {}, labelled by {}", photos.display(), table.display())
            }
        };
        let weights = registry::weights(self.backbone);
        let from = match &self.weights {
            WeightsFrom::Hub => format!("{} from the hub, {}", weights.name, weights.licence),
            WeightsFrom::Embedded => format!("{}, in the repository, {}", weights.name, weights.licence),
            WeightsFrom::Random => "random: it learns little".into(),
            WeightsFrom::Repository(name) => format!("{name} from the hub"),
            WeightsFrom::File(path) => format!("the file {}", path.display()),
        };
        let phase = |phase: Phase, least_steps: usize| {
            let PhaseConfig { epochs, patience, learning_rate, method, layers, .. } = phase.settings();
            let computes = phase.computes().into_iter();
            let others = computes.filter(|(key, _)| !["cut", "learning_rate", "method"].contains(&key.as_str()));
            let techniques: String = others.map(|(key, value)| format!(", {key} {value}")).collect();
            let all = if layers == Layers::All { "all layers, " } else { "" };
            match (epochs, method) {
                (0, _) => "left out".into(),
                (_, Method::Instant) => "solved for at once".into(),
                _ => {
                    let least = match least_steps {
                        0 => String::new(),
                        steps => format!(" (as many as {} take, where that is more)", counted(steps, "step")),
                    };
                    let epochs = counted(epochs, "epoch");
                    format!(
                        "{all}up to {epochs}{least}, patience {patience}, learning rate {learning_rate:e}{techniques}"
                    )
                }
            }
        };
        let augment = &self.augment;
        let percent = |fraction: f64| format!("{:.0} %", 100.0 * fraction);
        let view = View::new("Settings")
            .facts([
                ("seed", self.seed.to_string()),
                ("photos", source),
                ("split", {
                    let split = &self.split;
                    let parts = [split.train, split.val, split.test].map(percent);
                    let duplicates = match split.duplicates {
                        Duplicates::Together => "",
                        Duplicates::Report => "; duplicates are told, not kept together",
                        Duplicates::Off => "; duplicates are not looked for",
                    };
                    format!("{} train, {} val, {} test{duplicates}", parts[0], parts[1], parts[2])
                }),
                ("network", self.backbone.to_string()),
                ("weights", from),
                ("input", {
                    let fit = match self.fit {
                        Fit::Crop => "the middle of each photo",
                        Fit::Squash => "the whole photo, squeezed",
                        Fit::Pad => "the whole photo, with a margin",
                    };
                    let balance = match self.balance {
                        Balance::None => "",
                        Balance::Weights => ", classes evened out by weights",
                        Balance::Sampling => ", classes evened out by sampling",
                    };
                    format!("{0} × {0} pixels, {fit}, batches of {1}{balance}", self.image_size, self.batch_size)
                }),
                ("precision", self.precision.name().into()),
                ("augmentation", {
                    let flip = if augment.flip { "flip, " } else { "" };
                    let mut more = String::new();
                    if augment.crop > 0.0 {
                        more += &format!(", parts of at least {}", percent(augment.crop));
                    }
                    if augment.trivial {
                        more += ", TrivialAugment";
                    }
                    if augment.erase > 0.0 {
                        more += &format!(", a rectangle covered in {} of them", percent(augment.erase));
                    }
                    format!(
                        "{flip}rotate ±{}°, zoom up to {}, brightness ±{}, contrast ±{}{more}; {} views of each photo",
                        augment.rotate,
                        augment.zoom,
                        percent(augment.brightness),
                        percent(augment.contrast),
                        self.views
                    )
                }),
                ("head", format!("{} units, dropout {}", self.classifier.hidden, self.classifier.dropout)),
                ("phase 1: head", phase(Phase::head(self), self.head.least_steps)),
                ("phase 2: fine-tune", phase(Phase::upper(self), self.fine_tune.least_steps)),
                ("baseline", phase(Phase::baseline(self), self.baseline.least_steps)),
            ])
            .hint("All fields are public: let config = Config { seed: 7, ..config };");
        // A hint, which the page of a run leaves out: it is of this processor, not of the settings.
        let has_faster = self.precision.is_f32() && kernels::has_bf16();
        if has_faster {
            view.hint("This processor multiplies bf16 faster: config.with(&[\"precision=bf16\"])?")
        } else {
            view
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_at_its_default_is_said() {
        let plain = Config::seed().view().text();
        for absent in ["TrivialAugment", "evened out", "step"] {
            assert!(!plain.contains(absent), "{absent}: {plain}");
        }
        let settings = ["balance=weights", "augment.crop=0.4", "augment.erase=0.25", "precision=bf16"];
        let told = Config::best().with(&settings).unwrap().view().text();
        for present in [
            "16 epochs (as many as 200 steps take, where that is more)",
            "parts of at least 40 %, TrivialAugment, a rectangle covered in 25 % of them",
            "classes evened out by weights",
            "bf16",
        ] {
            assert!(told.contains(present), "{present}: {told}");
        }
        assert!(!told.contains("faster"), "{told}");
    }
}
