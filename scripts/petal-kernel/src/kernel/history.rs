//! What was run in this kernel, for consoles that ask for earlier lines.

use serde_json::{Value, json};

/// All inputs, and the values that were shown.
#[derive(Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
}

struct Entry {
    line: u64,
    input: String,
    output: Option<String>,
}

/// This kernel's number among sessions; it remembers no others.
const SESSION: u64 = 1;

impl History {
    /// Notes what was run, and its value as text.
    pub(super) fn note(&mut self, line: u64, input: &str, output: Option<String>) {
        self.entries.push(Entry { line, input: input.to_owned(), output });
    }

    /// What `history_request` is answered with.
    pub(super) fn answer(&self, request: &Value) -> Value {
        let number = |name: &str| request[name].as_i64();
        let mut found: Vec<&Entry> = match request["hist_access_type"].as_str() {
            Some("range") => {
                let session = number("session").unwrap_or(0);
                let ours = session <= 0 || session as u64 == SESSION;
                let (start, stop) = (number("start").unwrap_or(0), number("stop").unwrap_or(i64::MAX));
                self.entries.iter().filter(|entry| ours && (start..stop).contains(&(entry.line as i64))).collect()
            }
            Some("search") => {
                let pattern = request["pattern"].as_str().unwrap_or("*");
                let mut found: Vec<&Entry> =
                    self.entries.iter().filter(|entry| like(pattern.as_bytes(), entry.input.as_bytes())).collect();
                if request["unique"] == true {
                    // The last of each stays.
                    let all = found.clone();
                    let mut index = 0;
                    found.retain(|entry| {
                        index += 1;
                        !all[index..].iter().any(|later| later.input == entry.input)
                    });
                }
                found
            }
            _ => self.entries.iter().collect(),
        };
        if request["hist_access_type"] != "range"
            && let Some(wanted) = number("n").and_then(|wanted| usize::try_from(wanted).ok())
        {
            found.drain(..found.len().saturating_sub(wanted));
        }
        let with_output = request["output"] == true;
        let history: Vec<Value> = found
            .into_iter()
            .map(|entry| {
                if with_output {
                    json!([SESSION, entry.line, [entry.input, entry.output]])
                } else {
                    json!([SESSION, entry.line, entry.input])
                }
            })
            .collect();
        json!({ "status": "ok", "history": history })
    }
}

/// Whether the text is like a pattern of `*` and `?`.
fn like(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        Some((b'?', rest)) => !text.is_empty() && like(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && like(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(history: &History, request: Value) -> Vec<String> {
        let answer = history.answer(&request);
        answer["history"].as_array().unwrap().iter().map(|entry| entry[2].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn history_is_found_by_its_end_by_numbers_and_by_patterns() {
        let mut history = History::default();
        for (line, input) in [(1, "let a = 1;"), (2, "a + 1"), (3, "b"), (4, "a + 1")] {
            history.note(line, input, (line == 2).then(|| "2".to_owned()));
        }
        assert_eq!(inputs(&history, json!({ "hist_access_type": "tail", "n": 2 })), ["b", "a + 1"]);
        assert_eq!(
            inputs(&history, json!({ "hist_access_type": "range", "session": 0, "start": 1, "stop": 3 })),
            ["let a = 1;", "a + 1"]
        );
        assert!(
            inputs(&history, json!({ "hist_access_type": "range", "session": 7, "start": 1, "stop": 3 })).is_empty()
        );
        assert_eq!(inputs(&history, json!({ "hist_access_type": "search", "pattern": "a*" })).len(), 2);
        assert_eq!(
            inputs(&history, json!({ "hist_access_type": "search", "pattern": "a*1", "unique": true })),
            ["a + 1"]
        );
        assert_eq!(inputs(&history, json!({ "hist_access_type": "search", "pattern": "?", "n": 3 })), ["b"]);
        let answer = history
            .answer(&json!({ "hist_access_type": "range", "session": 1, "start": 2, "stop": 3, "output": true }));
        assert_eq!(answer["history"], json!([[1, 2, ["a + 1", "2"]]]));
    }
}
