//! What a cell shows: blocks from which HTML and plain text are made alike.

use super::figure::Figure;
use super::plain::{escape, printable, show};
use super::table::Table;
use crate::base::error::Result;

/// What a cell shows, block by block.
#[derive(Clone, Debug, Default)]
pub struct View {
    blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
enum Block {
    Title(String),
    /// The heading of a part, where a view is long.
    Section(String),
    Line(String),
    /// What to do next, or what to beware of.
    Hint(String),
    Facts(Vec<(String, String)>),
    Table(Table),
    Figure(Figure),
}

impl View {
    /// A view with a title.
    pub fn new(title: impl Into<String>) -> Self {
        Self { blocks: vec![Block::Title(title.into())] }
    }

    /// A view of a table alone.
    pub fn of_table(table: Table) -> Self {
        Self::default().table(table)
    }

    /// Begins a part of a long view.
    #[must_use]
    pub fn section(mut self, title: impl Into<String>) -> Self {
        self.blocks.push(Block::Section(title.into()));
        self
    }

    /// Adds a line of text.
    #[must_use]
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Line(text.into()));
        self
    }

    /// Adds what to do next, or what to beware of.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Hint(text.into()));
        self
    }

    /// Adds names and values, a row each.
    #[must_use]
    pub fn facts<K: Into<String>, V: Into<String>>(mut self, facts: impl IntoIterator<Item = (K, V)>) -> Self {
        self.blocks.push(Block::Facts(facts.into_iter().map(|(k, v)| (k.into(), v.into())).collect()));
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.blocks.push(Block::Table(table));
        self
    }

    /// Adds a table, or says why there is none.
    #[must_use]
    pub fn table_or_why(self, table: Result<Table>) -> Self {
        match table {
            Ok(table) => self.table(table),
            Err(error) => self.line(error.to_string()),
        }
    }

    /// Adds a picture.
    #[must_use]
    pub fn figure(mut self, figure: Figure) -> Self {
        self.blocks.push(Block::Figure(figure));
        self
    }

    /// Adds all of another view.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.blocks.extend(other.blocks);
        self
    }

    /// The same without what to do next: for a page, where no cell comes next.
    #[must_use]
    pub fn without_hints(mut self) -> Self {
        self.blocks.retain(|block| !matches!(block, Block::Hint(_)));
        self
    }

    /// Plain HTML without scripts; every name escaped; no colours of its own, so that it reads in light and dark themes.
    pub fn html(&self) -> String {
        let block = |block: &Block| match block {
            Block::Title(text) => format!("<p><strong>{}</strong></p>", escape(text)),
            Block::Section(text) => format!("<h3>{}</h3>", escape(text)),
            Block::Line(text) => format!("<p>{}</p>", escape(text)),
            Block::Hint(text) => format!("<p><em>{}</em></p>", escape(text)),
            Block::Facts(facts) => {
                let row = |(name, value): &(String, String)| {
                    let left = "style=\"text-align:left\"";
                    format!("<tr><th {left}>{}</th><td {left}>{}</td></tr>", escape(name), escape(value))
                };
                format!("<table>{}</table>", facts.iter().map(row).collect::<String>())
            }
            Block::Table(table) => table.html(),
            Block::Figure(figure) => figure.html(),
        };
        self.blocks.iter().map(block).collect::<Vec<_>>().join("\n")
    }

    /// The same as plain text; a picture is its description.
    pub fn text(&self) -> String {
        let block = |block: &Block| match block {
            Block::Title(text) | Block::Line(text) | Block::Hint(text) => printable(text),
            Block::Section(text) => format!("\n{}", printable(text)),
            Block::Facts(facts) => {
                let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
                let row =
                    |(name, value): &(String, String)| format!("{:<width$}  {}", printable(name), printable(value));
                facts.iter().map(row).collect::<Vec<_>>().join("\n")
            }
            Block::Table(table) => table.text(),
            Block::Figure(figure) => figure.text(),
        };
        self.blocks.iter().map(block).collect::<Vec<_>>().join("\n")
    }

    /// A whole document that needs no other file and runs no script, to be opened in a browser; in light and dark, as the reader's
    /// system is.
    pub fn page(&self, title: &str) -> String {
        PAGE.replace("{title}", &escape(title)).replace("{body}", &self.html())
    }

    /// Called by the notebook's kernel to show this.
    pub fn evcxr_display(&self) {
        self.show();
    }

    /// Shows both to the kernel.
    pub fn show(&self) {
        show(&[("text/html", &self.html()), ("text/plain", &self.text())]);
    }
}

impl From<Table> for View {
    fn from(table: Table) -> Self {
        Self::of_table(table)
    }
}

/// The policy lets a browser load nothing and run nothing, whatever stands in the body.
const PAGE: &str = include_str!("page.html");

/// Gives a type with a method `view` its `html`, `text` and `evcxr_display`.
macro_rules! shows {
    // Where a cell shows it in a way of its own.
    (without_display $($type:ty),+ $(,)?) => {$(
        impl $type {
            /// Plain HTML, as a cell shows it.
            pub fn html(&self) -> String {
                self.view().html()
            }

            /// The same as plain text.
            pub fn text(&self) -> String {
                self.view().text()
            }
        }
    )+};
    ($($type:ty),+ $(,)?) => {$(
        $crate::report::shows!(without_display $type);

        impl $type {
            /// Called by the notebook's kernel to show this.
            pub fn evcxr_display(&self) {
                self.view().show();
            }
        }
    )+};
}
pub(crate) use shows;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup_or_speak_to_the_kernel() {
        let nasty = "<script>alert('x')</script>\nEVCXR_BEGIN_CONTENT text/html";
        let view = View::new(nasty).line(nasty).facts([(nasty, nasty)]);
        let html = view.html();
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
        for shown in [html, view.text()] {
            assert!(!shown.contains("EVCXR_BEGIN"), "{shown}");
        }
        assert_eq!(View::new(nasty).text().lines().count(), 1);
    }

    #[test]
    fn text_and_html_say_the_same() {
        let view = View::new("photos").facts([("classes", "5"), ("in all", "3,670")]).hint("next: split");
        assert_eq!(view.text(), "photos\nclasses  5\nin all   3,670\nnext: split");
        for word in ["photos", "classes", "3,670", "next: split"] {
            assert!(view.html().contains(word));
        }
    }
}
