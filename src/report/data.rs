//! Views of the photos.

use std::collections::BTreeMap;

use super::table::{Cells, Table};
use super::words::{counted, short_list, thousands};
use super::{View, shows};
use crate::data::left_out::grouped;
use crate::data::{Dataset, Decisions, LeftOut, Loader, Subset, Verification};

shows!(Dataset, Verification, Subset, Loader, Decisions);

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
        view = view.table_or_why(table);
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
        noted(view.table_or_why(table))
            .hint("they are left out of the split; mend or remove the files to be rid of this list")
    }
}

impl Subset {
    /// Photos by class.
    pub fn view(&self) -> View {
        let mut counts = vec![0u64; self.classes.len()];
        self.samples.iter().for_each(|sample| counts[sample.target] += 1);
        let table = Table::new([("class", Cells::Text(self.classes.to_vec())), ("photos", Cells::Counts(counts))]);
        let title = format!("{}: {}", self.split, counted(self.samples.len(), "photo"));
        View::new(title).table_or_why(table).hint("learner.show_batch(12)? shows some of those to train on")
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
        View::new(title).table_or_why(table).hint("photos.split(&project, &config)? honours them")
    }
}

/// Where the largest class has more than so many times the photos of the smallest, it is said.
const UNEVEN: usize = 3;

/// What uneven classes mean for the accuracy; nothing where they are even.
pub(super) fn uneven(counts: &[(&str, usize)]) -> Option<String> {
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

pub(super) fn laid_on_white(view: View, count: usize) -> View {
    match count {
        0 => view,
        1 => view.line("1 photo has transparent parts, which are laid on white"),
        count => {
            view.line(format!("{} photos have transparent parts, which are laid on white", thousands(count as u64)))
        }
    }
}

/// What lay among the photos and is not used: how many files of each kind, and the first of them.
pub(super) fn left_out(view: View, left_out: &BTreeMap<String, LeftOut>, all: &str) -> View {
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
    view.line(what).table_or_why(table)
}
