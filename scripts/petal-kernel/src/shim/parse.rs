//! Reads the standard output of a cell's process: text, messages, contents and evcxr's control lines, cut anywhere.

/// What a cell's process has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Bytes to show as they are.
    Text(Vec<u8>),
    /// The JSON of a message in an APC string (ARCHITECTURE.md).
    Message(Vec<u8>),
    /// One block of `EVCXR_BEGIN_CONTENT`: its MIME type, and what it holds.
    Content(String, Vec<u8>),
    /// The cell is done.
    Complete,
    /// The cell has panicked.
    Panic,
    /// The cell has ended in a failed `?`.
    Failed,
    /// A control line that evcxr alone understands: a variable of another type, or a question to the user.
    Control(String),
}

const INTRODUCER: &[u8] = b"\x1b_petal:";
const TERMINATOR: &[u8] = b"\x1b\\";
const WORD: &[u8] = b"EVCXR_";
const END: &[u8] = b"EVCXR_END_CONTENT";
/// evcxr's lines are shorter.
const LINE: usize = 4096;
/// What begins and does not end is text after so many bytes.
const LIMIT: usize = 256 << 20;

/// What is known of the output so far.
#[derive(Default)]
pub(crate) struct Parser {
    held: Vec<u8>,
    /// Where in `held` the rest begins that nothing was made of yet.
    at: usize,
    /// Bytes of the rest that were looked at in vain.
    seen: usize,
    content: Option<(String, Vec<u8>)>,
}

impl Parser {
    /// Takes the next bytes, and gives what they make whole.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.held.extend_from_slice(bytes);
        let mut said = Vec::new();
        while self.step(&mut said) {}
        self.held.drain(..std::mem::take(&mut self.at));
        if self.held.len() > LIMIT {
            self.content = None;
            said.push(Said::Text(std::mem::take(&mut self.held)));
        }
        said
    }

    /// Gives as text what was held since it could have become more: nothing came for a while. What has surely begun is held on.
    pub(crate) fn release(&mut self) -> Vec<Said> {
        if !self.holds() {
            return Vec::new();
        }
        self.seen = 0;
        vec![Said::Text(std::mem::take(&mut self.held))]
    }

    /// Whether bytes are held that may be text.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty() && self.content.is_none() && !self.held.starts_with(INTRODUCER)
    }

    fn rest(&self) -> &[u8] {
        &self.held[self.at..]
    }

    /// Takes one thing off the front; false where more bytes are needed.
    fn step(&mut self, said: &mut Vec<Said>) -> bool {
        if self.content.is_some() {
            return self.line_of_content(said);
        }
        if self.rest().starts_with(INTRODUCER) {
            return self.message(said);
        }
        let rest = self.rest();
        let Some(start) = (0..rest.len()).find(|index| begins(&rest[*index..])) else {
            let length = rest.len();
            return self.text(length, said);
        };
        if start > 0 {
            return self.text(start, said);
        }
        if rest.starts_with(INTRODUCER) {
            return true;
        }
        if !rest.starts_with(WORD) {
            return false;
        }
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return rest.len() > LINE && self.text(1, said);
        };
        match self.control(end) {
            Some(control) => {
                said.extend(control);
                self.take(end + 1);
                true
            }
            None => self.text(1, said),
        }
    }

    fn message(&mut self, said: &mut Vec<Said>) -> bool {
        let from = self.seen.max(INTRODUCER.len());
        let rest = self.rest();
        let Some(end) = find(&rest[from..], TERMINATOR) else {
            self.seen = rest.len() - 1;
            return false;
        };
        let end = from + end;
        said.push(Said::Message(rest[INTRODUCER.len()..end].to_vec()));
        self.take(end + TERMINATOR.len());
        true
    }

    /// What the line that ends at `end` commands; none where it is text.
    fn control(&mut self, end: usize) -> Option<Option<Said>> {
        let line = std::str::from_utf8(&self.rest()[..end]).ok()?;
        Some(match line {
            "EVCXR_EXECUTION_COMPLETE" => Some(Said::Complete),
            "EVCXR_PANIC_NOTIFICATION" => Some(Said::Panic),
            "EVCXR_ERROR_OCCURRED" => Some(Said::Failed),
            _ if line.starts_with("EVCXR_VARIABLE_CHANGED_TYPE:") || line.starts_with("EVCXR_INPUT_REQUEST") => {
                Some(Said::Control(line.to_owned()))
            }
            _ => {
                let kind = line.strip_prefix("EVCXR_BEGIN_CONTENT ")?.trim().to_owned();
                self.content = Some((kind, Vec::new()));
                None
            }
        })
    }

    fn line_of_content(&mut self, said: &mut Vec<Said>) -> bool {
        let rest = &self.held[self.at..];
        let Some(end) = rest[self.seen..].iter().position(|byte| *byte == b'\n') else {
            self.seen = rest.len();
            return false;
        };
        let end = self.seen + end;
        match &rest[..end] {
            END => self.finish(said),
            // It was cut short.
            b"EVCXR_PANIC_NOTIFICATION" | b"EVCXR_EXECUTION_COMPLETE" | b"EVCXR_ERROR_OCCURRED" => {
                self.seen = 0;
                self.finish(said);
                return true;
            }
            line => {
                if let Some((_, body)) = &mut self.content {
                    body.extend_from_slice(line);
                    body.push(b'\n');
                }
            }
        }
        self.take(end + 1);
        true
    }

    fn finish(&mut self, said: &mut Vec<Said>) {
        if let Some((kind, mut body)) = self.content.take() {
            body.pop();
            said.push(Said::Content(kind, body));
        }
    }

    fn text(&mut self, length: usize, said: &mut Vec<Said>) -> bool {
        if length == 0 {
            return false;
        }
        let text = &self.held[self.at..self.at + length];
        match said.last_mut() {
            Some(Said::Text(before)) => before.extend_from_slice(text),
            _ => said.push(Said::Text(text.to_vec())),
        }
        self.take(length);
        true
    }

    fn take(&mut self, length: usize) {
        self.at += length;
        self.seen = 0;
    }
}

/// Whether these bytes begin something that is no text, or may when more come.
fn begins(bytes: &[u8]) -> bool {
    let pattern = match bytes[0] {
        0x1b => INTRODUCER,
        b'E' => WORD,
        _ => return false,
    };
    let common = bytes.len().min(pattern.len());
    bytes[..common] == pattern[..common]
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &[u8] = b"one\rtwo\x1b[1m E \x1b_petal:{\"msg_type\":\"display_data\"}\x1b\\Ever\nEVCXR_BEGIN_CONTENT text/html\n<b>\n\nx</b>\nEVCXR_END_CONTENT\n\
        EVCXR_OTHER\npartEVCXR_ERROR_OCCURRED\nEVCXR_VARIABLE_CHANGED_TYPE:x\nEVCXR_EXECUTION_COMPLETE\n";

    fn expected() -> Vec<Said> {
        let text = |bytes: &str| Said::Text(bytes.as_bytes().to_vec());
        vec![
            text("one\rtwo\x1b[1m E "),
            Said::Message(br#"{"msg_type":"display_data"}"#.to_vec()),
            text("Ever\n"),
            Said::Content("text/html".to_owned(), b"<b>\n\nx</b>".to_vec()),
            text("EVCXR_OTHER\npart"),
            Said::Failed,
            Said::Control("EVCXR_VARIABLE_CHANGED_TYPE:x".to_owned()),
            Said::Complete,
        ]
    }

    /// Joins texts that follow each other.
    fn joined(said: Vec<Said>) -> Vec<Said> {
        let mut whole: Vec<Said> = Vec::new();
        for part in said {
            match (whole.last_mut(), part) {
                (Some(Said::Text(before)), Said::Text(more)) => before.extend(more),
                (_, part) => whole.push(part),
            }
        }
        whole
    }

    #[test]
    fn output_is_read_the_same_wherever_it_is_cut() {
        for size in 1..=OUTPUT.len() {
            let mut parser = Parser::default();
            let said = OUTPUT.chunks(size).flat_map(|chunk| parser.push(chunk)).collect();
            assert_eq!(joined(said), expected(), "{size} bytes at a time");
            assert!(parser.release().is_empty());
        }
    }

    #[test]
    fn what_only_looks_like_a_beginning_is_shown_after_a_while() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(b"50 %\x1b"), [Said::Text(b"50 %".to_vec())]);
        assert!(parser.holds());
        assert_eq!(parser.release(), [Said::Text(b"\x1b".to_vec())]);
        assert_eq!(parser.push(b"\x1b_petal:{"), []);
        assert_eq!(parser.release(), [], "a message that has begun is no text");
        assert_eq!(parser.push(b"}\x1b\\"), [Said::Message(b"{}".to_vec())]);
    }

    #[test]
    fn a_content_that_a_panic_cuts_short_ends_there() {
        let said = Parser::default()
            .push(b"EVCXR_BEGIN_CONTENT text/plain\nhalf\nEVCXR_PANIC_NOTIFICATION\nEVCXR_EXECUTION_COMPLETE\n");
        assert_eq!(said, [Said::Content("text/plain".to_owned(), b"half".to_vec()), Said::Panic, Said::Complete]);
    }

    #[test]
    fn an_empty_content_and_bytes_that_are_no_text_are_kept() {
        let said = Parser::default().push(b"EVCXR_BEGIN_CONTENT text/plain\nEVCXR_END_CONTENT\n\xff\xfe\n");
        assert_eq!(said, [Said::Content("text/plain".to_owned(), Vec::new()), Said::Text(b"\xff\xfe\n".to_vec())]);
    }
}
