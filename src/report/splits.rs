//! A view of a data set in three parts.

use super::data::{laid_on_white, left_out, uneven};
use super::table::{Cells, Table};
use super::words::{counted, short_list};
use super::{View, shows};
use crate::data::decisions::DECISIONS;
use crate::data::{Decided, Split, Splits};

shows!(Splits);

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
        let mut view = View::new("Split").table_or_why(table);
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
