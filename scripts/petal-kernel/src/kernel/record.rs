//! What is known of the cell at hand from what its process said.

use serde_json::{Map, Value, json};

/// How a cell failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Panic,
    QuestionMark,
}

/// What the process said of the cell at hand.
#[derive(Default)]
pub(super) struct Record {
    /// How it failed, and what it wrote on the standard error about that.
    pub(super) failure: Option<(Failure, String)>,
    /// It was not begun, since a stop was asked for.
    pub(super) refused: bool,
    /// How the process ended, if it did.
    pub(super) ended: Option<String>,
    /// Blocks that may be one display, or the cell's value.
    pub(super) blocks: Vec<(String, Vec<u8>)>,
    /// The last of the standard error.
    pub(super) last_words: String,
    /// Bytes of text so far.
    pub(super) written: usize,
    /// The text was cut.
    pub(super) cut: bool,
}

impl Record {
    /// Whether a block of this type begins another display.
    pub(super) fn begins_anew(&self, kind: &str) -> bool {
        self.blocks.iter().any(|(known, _)| known == kind)
    }

    /// Keeps the end of what came on the standard error.
    pub(super) fn remember(&mut self, text: &str) {
        self.last_words.push_str(text);
        if self.last_words.len() > 8192 {
            let from = (self.last_words.len() - 4096..).find(|at| self.last_words.is_char_boundary(*at)).unwrap_or(0);
            self.last_words.drain(..from);
        }
    }
}

/// A MIME bundle of the blocks: JSON as JSON, all else as text.
pub(super) fn bundle(blocks: Vec<(String, Vec<u8>)>) -> Value {
    let data: Map<String, Value> = blocks
        .into_iter()
        .map(|(kind, body)| {
            let text = String::from_utf8_lossy(&body).into_owned();
            let value = if kind.contains("json") {
                serde_json::from_str(&text).unwrap_or_else(|_| json!(text))
            } else {
                json!(text)
            };
            (kind, value)
        })
        .collect();
    Value::Object(data)
}

/// Turns bytes into text as they come; a character that is cut in two waits for its second half.
#[derive(Default)]
pub(super) struct Decoder {
    begun: Vec<u8>,
}

impl Decoder {
    pub(super) fn decode(&mut self, bytes: &[u8]) -> String {
        self.begun.extend_from_slice(bytes);
        let mut text = String::new();
        let mut rest = self.begun.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(all) => {
                    text.push_str(all);
                    self.begun.clear();
                    return text;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(good));
                    match error.error_len() {
                        Some(length) => {
                            text.push('\u{fffd}');
                            rest = &bad[length..];
                        }
                        None => {
                            self.begun = bad.to_vec();
                            return text;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_cut_in_two_come_whole() {
        let mut decoder = Decoder::default();
        let text = "é🌸a";
        let whole: String = text.as_bytes().chunks(1).map(|byte| decoder.decode(byte)).collect();
        assert_eq!(whole, text);
        assert_eq!(decoder.decode(b"\xffb\xf0\x9f"), "\u{fffd}b");
        assert_eq!(decoder.decode(b"\x8c\xb8"), "🌸");
    }

    #[test]
    fn a_bundle_has_json_as_json() {
        let blocks =
            vec![("application/json".to_owned(), b"{\"a\": 1}".to_vec()), ("text/plain".to_owned(), b"{}".to_vec())];
        assert_eq!(bundle(blocks), json!({ "application/json": { "a": 1 }, "text/plain": "{}" }));
    }
}
