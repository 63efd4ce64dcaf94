//! What the cleaner lists, and what was decided.

use super::figure::Figure;
use super::gallery::{Tile, columns, grid};
use super::table::{Cells, Table};
use super::words::counted;
use super::{View, shows};
use crate::base::error::{Error, ErrorKind, Result};
use crate::data::{Split, photo};
use crate::eval::{Cleaner, SavedDecisions};
use crate::pixels::Limits;

shows!(SavedDecisions);
shows!(without_display Cleaner);

/// Photos that a cell shows at once.
pub(super) const PAGE: usize = 12;

impl Cleaner {
    /// The first photos, each with its number, and how to mark them.
    pub fn view(&self) -> View {
        let parts = self.parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(", ");
        let of = if parts.is_empty() { String::new() } else { format!(" of {parts}") };
        let photos = counted(self.suspects.len(), "photo");
        let title = format!("{photos}{of} {}; {} marked", self.listed, self.marks().len());
        let mut view = View::new(title);
        if self.suspects.is_empty() && self.decided_before == 0 {
            return view.line("there is nothing to decide about");
        }
        if self.suspects.is_empty() {
            let all = if self.decided_before == 1 {
                "the only photo was".into()
            } else {
                format!("all {} were", self.decided_before)
            };
            return view.line(format!("{all} decided about before"));
        }
        view = match self.show(PAGE) {
            Ok(figure) => view.figure(figure),
            Err(error) => view.line(error.to_string()),
        };
        view = view.table_or_why(self.table(PAGE));
        if self.decided_before > 0 {
            let were = if self.decided_before == 1 { "was" } else { "were" };
            let before = counted(self.decided_before, "photo");
            view = view.line(format!("{before} {were} kept or relabelled before: not listed"));
        }
        if self.held_out {
            view = view.line("Train photos are predicted by heads that did not learn from them.");
        }
        if self.parts.contains(&Split::Test) {
            view = view.line("Whoever drops test photos because the model fails on them makes the test easier: drop what is wrong, not what is hard.");
        }
        view.hint("mark by number: relabel(&[1], \"class\")?, drop_photos(&[2, 3])?, keep(&[4])?; then save()?. More: show_from(13, 12)?")
    }

    /// The first `n` photos with their numbers.
    pub fn show(&self, n: usize) -> Result<Figure> {
        self.show_from(1, n)
    }

    /// `n` photos from this number on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a number that is not in the list; what reading a photo can give.
    pub fn show_from(&self, number: usize, n: usize) -> Result<Figure> {
        self.suspect(number)?;
        let mut tiles = Vec::new();
        for (index, suspect) in self.suspects.iter().enumerate().skip(number - 1).take(n) {
            let row = self.row(index);
            let first = format!("{}  {}{}", row.number, row.class, in_part(suspect.split));
            let second = format!("predicted {} {:.0} %", row.predicted, 100.0 * row.probability);
            let marked = row.decision.map_or(String::new(), |decision| format!(": {decision}"));
            let mut lines = vec![first, second, format!("loss {:.2}{marked}", row.loss)];
            lines.extend((!suspect.why.is_empty()).then(|| suspect.why.clone()));
            let picture = photo::read(&suspect.prediction.path, &Limits::NONE)?;
            tiles.push(Tile { pictures: vec![picture], lines, right: suspect.prediction.is_right() });
        }
        grid("Is the class right? Number, class, what the model says", &tiles, columns(tiles.len()), None)
    }

    /// The first `n` photos as a table.
    pub fn table(&self, n: usize) -> Result<Table> {
        let rows: Vec<Row> = (0..self.suspects.len().min(n)).map(|index| self.row(index)).collect();
        if rows.is_empty() {
            return Err(Error::new(ErrorKind::Render, "there is no photo to list"));
        }
        let text = |value: &dyn Fn(&Row) -> String| Cells::Text(rows.iter().map(value).collect());
        Table::new([
            ("number", Cells::Counts(rows.iter().map(|row| row.number).collect())),
            ("photo", text(&|row| row.name.clone())),
            ("part", text(&|row| row.split.map_or(String::new(), |split| split.to_string()))),
            ("class", text(&|row| row.class.clone())),
            ("predicted", text(&|row| row.predicted.clone())),
            ("probability", Cells::Shares(rows.iter().map(|row| row.probability).collect())),
            ("loss", Cells::Numbers(rows.iter().map(|row| row.loss).collect(), 2)),
            ("marked", text(&|row| row.decision.clone().unwrap_or_default())),
        ])
    }

    pub(super) fn row(&self, index: usize) -> Row {
        let suspect = &self.suspects[index];
        let name = |class: usize| self.classes.get(class).cloned().unwrap_or_default();
        let (predicted, probability) = suspect.prediction.best();
        Row {
            number: index as u64 + 1,
            name: suspect.name.clone(),
            split: suspect.split,
            class: suspect.prediction.target.map(name).unwrap_or_default(),
            predicted: name(predicted),
            probability: f64::from(probability),
            loss: suspect.prediction.loss().unwrap_or(f64::NAN),
            decision: self.marks().get(&(index + 1)).map(ToString::to_string),
        }
    }
}

/// ` (train)`; nothing where there are no parts yet.
pub(super) fn in_part(split: Option<Split>) -> String {
    split.map_or(String::new(), |split| format!(" ({split})"))
}

/// What is said of one photo.
pub(super) struct Row {
    number: u64,
    pub(super) name: String,
    pub(super) split: Option<Split>,
    pub(super) class: String,
    pub(super) predicted: String,
    pub(super) probability: f64,
    pub(super) loss: f64,
    pub(super) decision: Option<String>,
}

impl SavedDecisions {
    /// How many decisions there are, and what to do next.
    pub fn view(&self) -> View {
        let [keep, relabel, drop] = self.saved;
        View::new(format!("saved: {}", counted(keep + relabel + drop, "decision")))
            .facts([
                ("kept", keep.to_string()),
                ("relabelled", relabel.to_string()),
                ("dropped", drop.to_string()),
                ("file", self.path.display().to_string()),
                ("in the file", format!("{} decisions in all", self.all)),
            ])
            .hint(
                "next: photos.split(&project, &config)? makes the split anew with them (all other photos stay in their part); then \
                 Learner::new and fit train on it, as another run. To take a decision back, delete its line in the file",
            )
    }
}
