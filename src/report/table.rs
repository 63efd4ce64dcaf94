//! Tables over polars data frames.

use polars::prelude::{AnyValue, Column, DataFrame, NamedFrom, Series};

use super::plain::{self, escape, printable};
use super::words::thousands;
use crate::base::error::{Error, ErrorKind, Result};

/// A table: a polars [`DataFrame`] and how its columns are written.
#[derive(Clone, Debug)]
pub struct Table {
    caption: Option<String>,
    frame: DataFrame,
    formats: Vec<Format>,
}

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    /// As it is, to the left.
    Text,
    /// With thousands apart.
    Count,
    /// With so many decimals.
    Decimals(usize),
    /// A fraction, in percent with one decimal.
    Percent,
}

/// The values of a column.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Text.
    Text(Vec<String>),
    /// Counts, written with thousands apart.
    Counts(Vec<u64>),
    /// Numbers, written with so many decimals.
    Numbers(Vec<f64>, usize),
    /// Fractions, written in percent with one decimal.
    Shares(Vec<f64>),
}

impl Table {
    /// A table of named columns of one length.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if the lengths differ or a name stands twice.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, Cells)>) -> Result<Self> {
        let (mut series, mut formats) = (Vec::new(), Vec::new());
        for (name, cells) in columns {
            let name = name.into().into();
            let (one, format) = match cells {
                Cells::Text(values) => (Series::new(name, values), Format::Text),
                Cells::Counts(values) => (Series::new(name, values), Format::Count),
                Cells::Numbers(values, decimals) => (Series::new(name, values), Format::Decimals(decimals)),
                Cells::Shares(values) => (Series::new(name, values), Format::Percent),
            };
            series.push(Column::from(one));
            formats.push(format);
        }
        let failed = |cause: polars::error::PolarsError| Error::new(ErrorKind::Render, format!("no table: {cause}"));
        Ok(Self { caption: None, frame: DataFrame::new_infer_height(series).map_err(failed)?, formats })
    }

    /// A line above it.
    #[must_use]
    pub fn caption(self, caption: impl Into<String>) -> Self {
        Self { caption: Some(caption.into()), ..self }
    }

    /// The values, to compute with.
    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.frame.height()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A plain HTML table; Jupyter gives it the colours of its theme.
    pub fn html(&self) -> String {
        let align = |format: &Format| if *format == Format::Text { "left" } else { "right" };
        let mut html = String::from("<table class=\"dataframe\">");
        if let Some(caption) = &self.caption {
            html += &format!("<caption style=\"text-align:left;padding-bottom:.4em\">{}</caption>", escape(caption));
        }
        html += "<thead><tr>";
        for (name, format) in self.frame.get_column_names().into_iter().zip(&self.formats) {
            html += &format!("<th style=\"text-align:{}\">{}</th>", align(format), escape(name));
        }
        html += "</tr></thead><tbody>";
        for row in self.rows() {
            html += "<tr>";
            for (cell, format) in row.iter().zip(&self.formats) {
                html += &format!("<td style=\"text-align:{}\">{}</td>", align(format), escape(cell));
            }
            html += "</tr>";
        }
        html + "</tbody></table>"
    }

    /// The same in plain text, columns aligned.
    pub fn text(&self) -> String {
        let head: Vec<String> = self.frame.get_column_names().into_iter().map(|name| printable(name)).collect();
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(self.rows()).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.formats.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).zip(&self.formats).map(|((cell, width), format)| match format {
                Format::Text => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
        };
        let caption = self.caption.iter().map(|caption| printable(caption));
        caption.chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
    }

    /// Called by the notebook's kernel to show this.
    pub fn evcxr_display(&self) {
        plain::show(&[("text/html", &self.html()), ("text/plain", &self.text())]);
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let cell = |column: &Column, format: Format, row: usize| match (column.get(row), format) {
            // A column of one row gives its text in another form than longer ones.
            (Ok(AnyValue::String(text)), _) => printable(text),
            (Ok(AnyValue::StringOwned(text)), _) => printable(&text),
            (Ok(AnyValue::UInt64(count)), _) => thousands(count),
            (Ok(AnyValue::Float64(value)), _) if !value.is_finite() => "–".into(),
            (Ok(AnyValue::Float64(value)), Format::Percent) => format!("{:.1} %", 100.0 * value),
            (Ok(AnyValue::Float64(value)), Format::Decimals(decimals)) => format!("{value:.decimals$}"),
            (Ok(other), _) => printable(&other.to_string()),
            (Err(_), _) => String::new(),
        };
        let columns: Vec<_> = self.frame.columns().iter().zip(self.formats.iter().copied()).collect();
        let row = |row: usize| columns.iter().map(|(column, format)| cell(column, *format, row)).collect();
        if self.len() <= FIRST + LAST + 1 {
            return (0..self.len()).map(row).collect();
        }
        let left_out = self.len() - FIRST - LAST;
        let mut gap = vec!["…".to_string(); columns.len()];
        if let Some(text) = self.formats.iter().position(|format| *format == Format::Text) {
            gap[text] = format!("… {} more rows", thousands(left_out as u64));
        }
        (0..FIRST).map(row).chain([gap]).chain((self.len() - LAST..self.len()).map(row)).collect()
    }
}

/// Of a long table, so many rows at its beginning are shown …
const FIRST: usize = 40;
/// … and so many at its end, where sums stand.
const LAST: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new([
            ("class", Cells::Text(vec!["roses".into(), "<b>&".into()])),
            ("photos", Cells::Counts(vec![11_169_605, 7])),
            ("loss", Cells::Numbers(vec![0.12345, f64::NAN], 2)),
            ("recall", Cells::Shares(vec![0.925, 1.0])),
        ])
        .unwrap()
        .caption("per class")
    }

    #[test]
    fn text_is_aligned_and_numbers_are_written_as_asked() {
        let expected = "per class\n\
            class      photos  loss   recall\n\
            roses  11,169,605  0.12   92.5 %\n\
            <b>&            7     –  100.0 %";
        assert_eq!(table().text(), expected);
    }

    #[test]
    fn html_is_escaped_and_the_frame_keeps_the_numbers() {
        let html = table().html();
        assert!(html.contains("&lt;b&gt;&amp;") && !html.contains("<b>"), "{html}");
        assert_eq!(html.matches("<tr>").count(), 3);
        assert_eq!(table().frame().column("photos").unwrap().get(0).unwrap(), AnyValue::UInt64(11_169_605));
    }

    #[test]
    fn a_table_of_one_row_is_written_as_others_are() {
        let one =
            Table::new([("class", Cells::Text(vec!["roses".into()])), ("recall", Cells::Shares(vec![0.5]))]).unwrap();
        assert_eq!(one.text(), "class  recall\nroses  50.0 %");
    }

    #[test]
    fn a_long_table_says_how_many_rows_it_does_not_show() {
        let table = |rows: usize| {
            Table::new([("class", Cells::Text((0..rows).map(|row| format!("class {row}")).collect()))]).unwrap()
        };
        assert_eq!(table(51).text().lines().count(), 52);
        let text = table(1000).text();
        assert_eq!(text.lines().count(), 52);
        assert!(text.contains("class 39\n… 950 more rows\nclass 990\n") && text.ends_with("class 999"), "{text}");
        assert_eq!(table(1000).frame().height(), 1000);
    }

    #[test]
    fn columns_of_other_lengths_are_refused() {
        let columns = [("a", Cells::Counts(vec![1])), ("b", Cells::Counts(vec![1, 2]))];
        assert_eq!(Table::new(columns).unwrap_err().kind(), ErrorKind::Render);
    }
}
