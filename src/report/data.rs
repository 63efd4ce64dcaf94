//! Views of the project, the settings and the photos.

use std::collections::BTreeMap;

use super::table::{Cells, Table, bytes, counted, thousands};
use super::{View, shows};
use crate::base::config::{Config, Duplicates, Fit, PhaseConfig, Source, WeightsFrom};
use crate::base::error::Result;
use crate::base::project::Project;
use crate::data::decisions::DECISIONS;
use crate::data::left_out::grouped;
use crate::data::{Dataset, Decided, Decisions, LeftOut, Loader, Split, Splits, Subset, Verification};
use crate::models::registry;

shows!(Project, Config, Dataset, Verification, Splits, Subset, Loader, Decisions);

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
                    format!("{0} × {0} pixels, {fit}, batches of {1}", self.image_size, self.batch_size)
                }),
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
            ("share", Cells::Shares(counts.values().map(|count| *count as f64 / self.samples.len() as f64).collect())),
        ]);
        let title =
            format!("{} of {}", counted(self.samples.len(), "photo"), format_args!("{} classes", self.classes.len()));
        let mut view =
            View::new(title).facts([("folder", self.root.display().to_string()), ("licence", self.licence.clone())]);
        view = with(view, table);
        if let Some(uneven) = uneven(&counts.iter().map(|(class, count)| (*class, *count)).collect::<Vec<_>>()) {
            view = view.line(uneven);
        }
        if self.is_split() {
            view = view.line("the set comes split; its parts are taken as they are");
        }
        view = left_out(view, &self.left_out, "photos.left_out");
        if let Ok(figure) = self.show_classes() {
            view = view.figure(figure);
        }
        view.hint("next: photos.verify()?, then photos.split(&project, &config)?")
    }
}

impl Verification {
    /// How many photos can be read, and why the others can't.
    pub fn view(&self) -> View {
        let good = thousands(self.good.len() as u64);
        let notes: Vec<_> =
            self.good.iter().filter(|photo| photo.broken_exif).map(|photo| &photo.sample.path).collect();
        let noted = |view: View| {
            let names =
                short_list(notes.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy().into()));
            let what =
                format!("{} photos have EXIF data that cannot be read and are taken as they lie: {names}", notes.len());
            let view = if notes.is_empty() { view } else { view.line(what) };
            laid_on_white(view, self.good.iter().filter(|photo| photo.laid_on_white).count())
        };
        if self.bad.is_empty() {
            return noted(
                View::new(format!("all {good} photos can be read")).hint("next: photos.split(&project, &config)?"),
            );
        }
        let name = |path: &std::path::Path| {
            let class = path.parent().and_then(|p| p.file_name()).unwrap_or_default().to_string_lossy();
            format!("{class}/{}", path.file_name().unwrap_or_default().to_string_lossy())
        };
        let table = Table::new([
            ("file", Cells::Text(self.bad.iter().map(|(path, _)| name(path)).collect())),
            ("why", Cells::Text(self.bad.iter().map(|(_, one)| one.why.clone()).collect())),
        ]);
        let view = View::new(format!("{good} photos can be read, {} cannot", self.bad.len()));
        noted(with(view, table)).hint("they are left out of the split; mend or remove the files to be rid of this list")
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
        let made_with = &self.made_with;
        let mut view = with(View::new("Split"), table);
        if let Some(uneven) =
            uneven(&self.classes.iter().map(String::as_str).zip(total.iter().map(|n| *n as usize)).collect::<Vec<_>>())
        {
            view = view.line(uneven);
        }
        if made_with.given {
            let drawn = made_with.drawn.iter().map(|part| part.name()).collect::<Vec<_>>().join(" and ");
            view = view.line(match made_with.drawn.len() {
                0 => "the set came split; its parts are taken as they were".into(),
                _ => format!("the set came split, but without {drawn}: drawn from the photos to train on"),
            });
        }
        view = view.line(super::duplicates::count(made_with));
        if let Some(split_up) = super::duplicates::split_up(made_with) {
            view = view.line(split_up);
        }
        if !made_with.leaks.is_empty() {
            let pairs = short_list(made_with.leaks.iter().map(|(a, b)| format!("{a} and {b}")));
            let count = counted(made_with.leaks.len(), "pair");
            view = view.line(format!(
                "leak: {count} of (nearly) the same photo, one to train on and one to measure on; the accuracy is too high by those: {pairs}"
            ));
        }
        if !made_with.conflicts.is_empty() {
            let pairs = short_list(made_with.conflicts.iter().map(|(a, b)| format!("{a} and {b}")));
            view = view.line(format!("the same photo in two classes: {pairs}"));
        }
        let parts = [Split::Val, Split::Test].into_iter().zip([&parts[1], &parts[2]]);
        for (split, counts) in parts {
            let lacking =
                self.classes.iter().zip(counts).filter(|(_, count)| **count == 0).map(|(class, _)| class.clone());
            let lacking: Vec<String> = lacking.collect();
            if !lacking.is_empty() {
                let what = counted(lacking.len(), "class").replace("classs", "classes");
                view = view.line(format!(
                    "{what} without a photo in {split}, so that nothing is measured of it there: {}",
                    short_list(lacking.into_iter())
                ));
            }
        }
        view = laid_on_white(view, made_with.laid_on_white);
        view = left_out(view, &made_with.left_out, "split.json");
        if self.set_aside > 0 {
            view = view.line(format!(
                "{} of earlier splits are nowhere else any more, and were set aside in {}",
                counted(self.set_aside, "photo"),
                self.root.join("set_aside").display()
            ));
        }
        let Decided { dropped, relabelled, unused, .. } = &made_with.decided;
        if !(dropped.is_empty() && relabelled.is_empty()) {
            let what =
                format!("{DECISIONS}: {} dropped, {} relabelled", counted(dropped.len(), "photo"), relabelled.len());
            view = view.line(what);
        }
        if !dropped.is_empty() {
            view = view.line(format!("dropped: {}", short_list(dropped.keys().cloned())));
        }
        if !relabelled.is_empty() {
            let moved = relabelled.iter().map(|(from, to)| {
                let class = to.split('/').next().unwrap_or_default();
                format!("{from} to {class}")
            });
            view = view.line(format!("relabelled: {}", short_list(moved)));
        }
        if !unused.is_empty() {
            view = view.hint(format!(
                "{} did nothing, as the photo is not there any more or was changed: {}",
                counted(unused.len(), "decision"),
                short_list(unused.iter().cloned())
            ));
        }
        if made_with.duplicates > 0 {
            view = view.hint("splits.duplicates() shows those that are (nearly) the same side by side");
        }
        view.facts([("folder", self.root.display().to_string())])
            .hint("next: let mut learner = Learner::new(&project, &splits, &config)?; then learner.show_batch(12)?")
    }
}

impl Subset {
    /// Photos by class.
    pub fn view(&self) -> View {
        let mut counts = vec![0u64; self.classes.len()];
        self.samples.iter().for_each(|sample| counts[sample.target] += 1);
        let table = Table::new([("class", Cells::Text(self.classes.to_vec())), ("photos", Cells::Counts(counts))]);
        let title = format!("{}: {}", self.split, counted(self.samples.len(), "photo"));
        with(View::new(title), table).hint("learner.show_batch(12)? shows some of those to train on")
    }
}

impl Loader {
    /// How many photos, in what batches.
    pub fn view(&self) -> View {
        let side = self.preprocess().size;
        View::new(format!("{} of {}", counted(self.len(), "photo"), self.subset().split)).facts([
            ("batches", format!("{} of up to {}", self.len().div_ceil(self.batch_size()), self.batch_size())),
            ("images", format!("3 × {side} × {side}, normalized")),
        ])
    }
}

impl Decisions {
    /// A row a photo that something was decided about.
    pub fn view(&self) -> View {
        let title = format!("{} about single photos", counted(self.len(), "decision"));
        if self.is_empty() {
            return View::new(title).hint("learner.cleaner(&[Split::Train, Split::Val])? lists photos to decide about");
        }
        let table = Table::new([
            ("photo", Cells::Text(self.iter().map(|(name, ..)| name.to_string()).collect())),
            ("decision", Cells::Text(self.iter().map(|(.., decision)| decision.to_string()).collect())),
        ]);
        with(View::new(title), table).hint("photos.split(&project, &config)? honours them")
    }
}

/// Where the largest class has more than so many times the photos of the smallest, it is said.
const UNEVEN: usize = 3;

/// What uneven classes mean for the accuracy; nothing where they are even.
fn uneven(counts: &[(&str, usize)]) -> Option<String> {
    let (largest, most) = counts.iter().max_by_key(|(_, count)| *count)?;
    let (smallest, fewest) = counts.iter().min_by_key(|(_, count)| *count)?;
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    (*most > UNEVEN * fewest).then(|| {
        format!(
            "the classes are uneven: {largest} has {}, {smallest} {}. A model that always says {largest} is right for {:.1} % of all photos: \
             look at each class's recall, not at the accuracy alone",
            counted(*most, "photo"),
            fewest,
            100.0 * *most as f64 / all as f64
        )
    })
}

fn laid_on_white(view: View, count: usize) -> View {
    match count {
        0 => view,
        1 => view.line("1 photo has transparent parts, which are laid on white"),
        count => {
            view.line(format!("{} photos have transparent parts, which are laid on white", thousands(count as u64)))
        }
    }
}

/// What lay among the photos and is not used: how many files of each kind, and the first of them.
fn left_out(view: View, left_out: &BTreeMap<String, LeftOut>, all: &str) -> View {
    if left_out.is_empty() {
        return view.line("no photo was left out");
    }
    let groups = grouped(left_out);
    // The reason of a single file, where it says more than that of its group.
    let named = |name: &str, words: &str| match left_out.get(name) {
        Some(one) if one.why != words => format!("{name} ({})", one.why),
        _ => name.to_string(),
    };
    let table = Table::new([
        ("left out", Cells::Counts(groups.iter().map(|(_, names)| names.len() as u64).collect())),
        ("why", Cells::Text(groups.iter().map(|(why, _)| why.clone()).collect())),
        (
            "which",
            Cells::Text(
                groups.iter().map(|(words, names)| short_list(names.iter().map(|name| named(name, words)))).collect(),
            ),
        ),
    ]);
    let what = match left_out.len() {
        1 => "1 file or folder was left out".to_string(),
        count => format!(
            "{} files and folders were left out; {all} has all of them with their reasons",
            thousands(count as u64)
        ),
    };
    with(view.line(what), table)
}

/// Adds a table, or says why there is none.
pub(super) fn with(view: View, table: Result<Table>) -> View {
    match table {
        Ok(table) => view.table(table),
        Err(error) => view.line(error.to_string()),
    }
}

pub(super) fn short_list(items: impl ExactSizeIterator<Item = String>) -> String {
    const MOST: usize = 5;
    let more = items.len().saturating_sub(MOST);
    let shown = items.take(MOST).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown}, and {more} more") } else { shown }
}
