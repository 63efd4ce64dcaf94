//! Which cells still show what came of a variable whose cell was changed since. It is said under the changed cell; nothing is run again.

use super::output::Output;
use crate::code::{Names, names};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The cells that have run, by the names that front ends give them.
#[derive(Default)]
pub(super) struct Stale {
    runs: BTreeMap<String, Run>,
    hints: Vec<Hint>,
}

/// A cell's last run that went well.
struct Run {
    number: u64,
    /// The first run with this code: what ran after it has seen what it makes.
    since: u64,
    code: String,
    names: Names,
}

/// What is said under a changed cell.
struct Hint {
    under: String,
    display: String,
    variables: BTreeSet<String>,
    cells: BTreeSet<String>,
}

impl Stale {
    /// A cell has run well. `waiting` are cells that are about to run.
    pub(super) fn ran(&mut self, cell: &str, number: u64, code: &str, waiting: &BTreeSet<String>, output: &Output) {
        for (display, data) in self.current(cell) {
            output.show("update_display_data", &content(&display, data));
        }
        if let Some((display, data)) = self.changed(cell, number, code, waiting) {
            output.show("display_data", &content(&display, data));
        }
    }

    /// This cell shows the present again: what the hints say of it is taken back. Those that change, and what they say then.
    fn current(&mut self, cell: &str) -> Vec<(String, Value)> {
        let changed: Vec<usize> = (0..self.hints.len()).filter(|index| self.hints[*index].cells.remove(cell)).collect();
        let said = changed.into_iter().map(|index| (self.hints[index].display.clone(), self.words(&self.hints[index])));
        let said = said.collect();
        self.hints.retain(|hint| !hint.cells.is_empty());
        said
    }

    /// Notes the run; what is to be said of the cells that used what it made when its code was another.
    fn changed(&mut self, cell: &str, number: u64, code: &str, waiting: &BTreeSet<String>) -> Option<(String, Value)> {
        let mut run = Run { number, since: number, code: code.trim().to_owned(), names: names(code) };
        // The front end has removed what was said under it; those cells are old still.
        let said = self.hints.iter().position(|hint| hint.under == cell).map(|index| self.hints.remove(index));
        let (variables, cells) = said.map(|hint| (hint.variables, hint.cells)).unwrap_or_default();
        let mut hint = Hint { under: cell.to_owned(), display: display_of(cell, number), variables, cells };
        match self.runs.remove(cell) {
            Some(former) if former.code == run.code => run.since = former.since,
            Some(former) => self.add_old(&mut hint, former),
            None => {}
        }
        self.runs.insert(cell.to_owned(), run);
        hint.cells.retain(|name| !waiting.contains(name));
        if hint.cells.is_empty() {
            return None;
        }
        let words = self.words(&hint);
        self.hints.push(hint);
        Some((self.hints.last()?.display.clone(), words))
    }

    /// Adds the cells that ran after `former`, and used what it made.
    fn add_old(&self, hint: &mut Hint, former: Run) {
        let mut later: Vec<(&String, &Run)> = self.runs.iter().filter(|(_, run)| run.number > former.since).collect();
        later.sort_by_key(|(_, run)| run.number);
        // In the order in which they ran: what a cell made of something old is old, and what one made of other things is not.
        let mut old = former.names.made;
        for (name, run) in later {
            let used: Vec<&String> = run.names.used.intersection(&old).collect();
            if used.is_empty() {
                old.retain(|variable| !run.names.made.contains(variable));
            } else {
                hint.variables.extend(used.into_iter().cloned());
                old.extend(run.names.made.iter().cloned());
                hint.cells.insert(name.clone());
            }
        }
    }

    fn words(&self, hint: &Hint) -> Value {
        let mut numbers: Vec<u64> = hint.cells.iter().filter_map(|cell| Some(self.runs.get(cell)?.number)).collect();
        numbers.sort_unstable();
        let cells: Vec<String> = numbers.iter().map(|number| format!("[{number}]")).collect();
        let which = match cells.as_slice() {
            [] => return json!({ "text/plain": "" }),
            [one] => format!("{one} still shows"),
            [all @ .., last] => format!("{} and {last} still show", all.join(", ")),
        };
        let text = format!("This cell was changed: {which} what came of it before.");
        let names: Vec<&str> = hint.variables.iter().map(String::as_str).collect();
        let why = format!("They use: {}", names.join(", "));
        // Readable on light and on dark paper; names are Rust's, which need no escaping.
        let html = format!("<div title=\"{why}\" style=\"opacity:0.75;font-size:0.9em\">&#8635; {text}</div>");
        json!({ "text/html": html, "text/plain": format!("{text} {why}") })
    }
}

fn display_of(cell: &str, number: u64) -> String {
    format!("petal-stale-{cell}-{number}")
}

fn content(display: &str, data: Value) -> Value {
    json!({ "data": data, "metadata": {}, "transient": { "display_id": display } })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs cells, each `(cell, code)`, and gives what is said under the last, and what of other hints changes.
    fn run(cells: &[(&str, &str)], waiting: &[&str]) -> (Option<String>, Vec<String>) {
        let mut stale = Stale::default();
        let mut said = (None, Vec::new());
        let waiting = waiting.iter().map(|cell| (*cell).to_owned()).collect();
        for (number, (cell, code)) in (1..).zip(cells) {
            let text = |data: Value| data["text/plain"].as_str().unwrap_or_default().to_owned();
            said.1 = stale.current(cell).into_iter().map(|(_, data)| text(data)).collect();
            said.0 = stale.changed(cell, number, code, &waiting).map(|(_, data)| text(data));
        }
        said
    }

    #[test]
    fn a_changed_cell_names_those_that_used_what_it_made() {
        let cells = [
            ("a", "let x = 1;"),
            ("b", "let y = x + 1;"),
            ("c", "println!(\"{}\", y)"),
            ("d", "1 + 1"),
            ("a", "let x = 2;"),
        ];
        let said = run(&cells, &[]).0.unwrap();
        assert!(said.contains("[2] and [3] still show") && said.contains("They use: x, y"), "{said}");
        let again = [&cells[..4], &cells[..1], &cells[4..]].concat();
        assert!(run(&again, &[]).0.unwrap().contains("[2] and [3] still show"), "to run it unchanged is no change");
        assert_eq!(run(&cells, &["b", "c"]).0, None, "they are about to run");
        assert!(run(&cells, &["b"]).0.unwrap().contains("[3] still shows"));
    }

    #[test]
    fn what_is_old_stays_old_until_it_runs_again() {
        let cells = [("a", "let x = 1;"), ("b", "x"), ("a", "let x = 2;")];
        for next in ["let x = 2;", "let x = 3;"] {
            let said = run(&[&cells[..], &[("a", next)]].concat(), &[]).0.unwrap();
            assert!(said.contains("[2] still shows"), "{next}: {said}");
        }
        assert_eq!(run(&[&cells[..], &[("b", "x"), ("a", "let x = 2;")]].concat(), &[]).0, None);
    }

    #[test]
    fn what_runs_again_is_no_longer_named() {
        let cells = [("a", "let x = 1;"), ("b", "x"), ("c", "x + 1"), ("a", "let x = 2;"), ("b", "x")];
        assert_eq!(run(&cells, &[]).1, ["This cell was changed: [3] still shows what came of it before. They use: x"]);
        let all = [&cells[..], &[("c", "x + 1")]].concat();
        assert_eq!(run(&all, &[]).1, [""]);
    }

    #[test]
    fn nothing_is_said_without_a_change() {
        for cells in [
            &[("a", "let x = 1;"), ("b", "x"), ("a", " let x = 1; ")][..],
            &[("a", "let x = 1;"), ("b", "x"), ("c", "let x = 2;")],
            &[("a", "let x = 1;"), ("b", "let x = 5;"), ("c", "x"), ("a", "let x = 2;")],
            &[("a", "let x = 1;"), ("b", "y.x"), ("a", "let x = 2;")],
        ] {
            assert_eq!(run(cells, &[]).0, None, "{cells:?}");
        }
    }
}
