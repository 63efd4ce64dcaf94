//! CSV whose cells no spreadsheet takes for formulas.
//!
//! A class or a file may be called `=cmd|' /C calc'!A0`, and a spreadsheet that opens the table would run it. A text that begins like a formula
//! gets a `'` before it (OWASP, "CSV Injection"), which spreadsheets take as "this is text", and which is taken off again when petal reads
//! the table.

use std::path::Path;

use crate::base::error::{Error, ErrorKind, Result};

/// Begins a formula, for one spreadsheet or another; the last four are the wide forms that some take for the others.
const BEGINNINGS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// What is said where a table has such cells.
pub const NOTE: &str = "cells that a spreadsheet would take for a formula have a ' before them";

/// A cell as it is written.
pub fn harmless(text: &str) -> String {
    if is_marked(text) { format!("'{text}") } else { text.to_string() }
}

/// A cell as it was before [`harmless`].
pub fn plain(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if is_marked(text) => text,
        _ => cell,
    }
}

/// Whether a text would be taken for a formula; or, so that reading takes nothing off that was there before, for one made harmless.
pub fn is_marked(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(BEGINNINGS)
}

/// The bytes of a table: a head, then its rows. Numbers stay as they are, whatever their sign; texts become [`harmless`].
///
/// # Errors
/// [`ErrorKind::Io`]: rows of unequal length.
pub fn table<R: AsRef<[String]>>(head: &[&str], rows: impl IntoIterator<Item = R>) -> Result<Vec<u8>> {
    let failed = |cause: csv::Error| Error::new(ErrorKind::Io, format!("cannot write this table: {cause}"));
    let cell = |text: &str| if text.parse::<f64>().is_ok() { text.to_string() } else { harmless(text) };
    let mut text = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut text);
    writer.write_record(head.iter().map(|text| cell(text))).map_err(failed)?;
    for row in rows {
        writer.write_record(row.as_ref().iter().map(|text| cell(text))).map_err(failed)?;
    }
    writer.flush().map_err(|cause| failed(cause.into()))?;
    drop(writer);
    Ok(text)
}

/// A table that [`table`] wrote, or a spreadsheet after it: its head and its rows, each with the number of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The first row.
    pub head: Vec<String>,
    /// The others.
    pub rows: Vec<(u64, Vec<String>)>,
}

/// Reads a table. All rows have as many cells as the head.
///
/// # Errors
/// [`ErrorKind::Dataset`] with the line that is no row.
pub fn read(bytes: &[u8]) -> Result<Read> {
    // A spreadsheet may put a byte order mark before it.
    let mut rows = rows(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), b',')?.into_iter();
    let head = rows.next().map(|(_, head)| head).unwrap_or_default();
    Ok(Read { head, rows: rows.collect() })
}

/// The rows of a text, the first among them, with the numbers of their lines. `separator` stands between cells.
///
/// # Errors
/// [`ErrorKind::Dataset`] with the line that is no row, or has another number of cells than the first.
pub fn rows(text: &[u8], separator: u8) -> Result<Vec<(u64, Vec<String>)>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(separator).from_reader(text);
    let (mut rows, mut line, mut counted) = (Vec::new(), 1, 0);
    for record in reader.records() {
        let at = match &record {
            Ok(record) => record.position(),
            Err(cause) => cause.position(),
        };
        // Where a row begins, the line's end before it may not be counted yet.
        let at = at.map_or(counted, |at| at.byte() as usize);
        let begin = text.len().min(at + text.iter().skip(at).take_while(|byte| b"\r\n".contains(byte)).count());
        line += text[counted..begin.max(counted)].iter().filter(|byte| **byte == b'\n').count() as u64;
        counted = begin.max(counted);
        let record = record.map_err(|cause| {
            Error::new(
                ErrorKind::Dataset,
                match cause.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("line {line} has {len} cells; expected {expected_len}")
                    }
                    csv::ErrorKind::Utf8 { .. } => format!("line {line} is not UTF-8 text"),
                    _ => format!("line {line}: {cause}"),
                },
            )
        })?;
        rows.push((line, record.iter().map(|cell| plain(cell).to_string()).collect()));
    }
    Ok(rows)
}

/// The text of a path for a cell.
pub fn path(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_begins_like_a_formula() {
        let names = [
            "roses",
            "=cmd|' /C calc'!A0",
            "+x",
            "-rose",
            "@SUM(1+1)",
            "\tx",
            "\rx",
            "'=x",
            "''+x",
            "'quoted'",
            "'",
            "＝1",
            "a=b",
            "",
            " =x",
            "say \"hi\"",
            "a,b",
            "two\nlines",
        ];
        let rows = names.map(|name| vec![name.to_string(), "-1.5e-3".to_string()]);
        let bytes = table(&["=head", "value"], &rows).unwrap();
        let mut raw = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        for (index, record) in raw.records().enumerate() {
            let record = record.unwrap();
            assert!(!record[0].starts_with(BEGINNINGS), "{record:?}");
            assert!(index == 0 || &record[1] == "-1.5e-3", "a number is no formula: {record:?}");
        }
        let read = read(&bytes).unwrap();
        assert_eq!(read.head, ["=head", "value"]);
        assert_eq!(read.rows.iter().map(|(_, row)| row[0].as_str()).collect::<Vec<_>>(), names);
        assert_eq!((harmless("=x"), plain("'=x"), plain("'x"), harmless("x")), ("'=x".into(), "=x", "'x", "x".into()));
    }

    #[test]
    fn a_row_of_another_length_is_named() {
        let error = read(b"a,b\n1,2\n1,2,3\n").unwrap_err();
        assert_eq!(error.what(), "line 3 has 3 cells; expected 2");
        let read = read(b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n\"two\nlines\",4\r\n5,6").unwrap();
        assert_eq!(
            read.rows.iter().map(|(line, row)| (*line, row[1].as_str())).collect::<Vec<_>>(),
            [(2, "2"), (4, "4"), (6, "6")]
        );
    }
}
