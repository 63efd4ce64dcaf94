//! Rust's tokens, as far as brackets, texts and comments go.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open(u8),
    Close(u8),
    Word,
    /// A number, a text, a character or a lifetime.
    Literal,
    Mark(u8),
}

/// A token and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The tokens of the code, and whether it ends inside a text or a comment. evcxr's own commands (`:dep`) are left out.
pub(super) fn lex(code: &str) -> (Vec<Token>, bool) {
    let bytes = code.as_bytes();
    let (mut tokens, mut at, mut fresh) = (Vec::new(), 0, true);
    while at < bytes.len() {
        let start = at;
        let byte = bytes[at];
        if byte.is_ascii_whitespace() {
            fresh |= byte == b'\n' && tokens.is_empty();
            at += 1;
            continue;
        }
        // A command reaches to the end of its line.
        if fresh && byte == b':' && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic) {
            at = line_end(bytes, at);
            continue;
        }
        fresh = false;
        if bytes[at..].starts_with(b"//") {
            at = line_end(bytes, at);
            fresh = tokens.is_empty();
            continue;
        }
        if bytes[at..].starts_with(b"/*") {
            match comment(bytes, at) {
                Some(end) => at = end,
                None => return (tokens, true),
            }
            continue;
        }
        let (kind, end) = match byte {
            b'(' | b'[' | b'{' => (Kind::Open(byte), at + 1),
            b')' | b']' | b'}' => (Kind::Close(byte), at + 1),
            b'"' => match text(bytes, at + 1) {
                Some(end) => (Kind::Literal, end),
                None => return (tokens, true),
            },
            b'\'' => (Kind::Literal, character(code, at)),
            b'0'..=b'9' => (Kind::Literal, number(bytes, at)),
            _ if is_word(byte) => {
                let end = at + bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
                match prefixed(bytes, start, end) {
                    Some(Some(end)) => (Kind::Literal, end),
                    Some(None) => return (tokens, true),
                    None => (Kind::Word, end),
                }
            }
            _ => (Kind::Mark(byte), at + 1),
        };
        tokens.push(Token { kind, start, end });
        at = end;
    }
    (tokens, false)
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn comment(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    None
}

/// The end of a text whose first quote is behind.
fn text(bytes: &[u8], mut at: usize) -> Option<usize> {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// The end of a character (`'x'`, `'\n'`) or of a lifetime (`'static`).
fn character(code: &str, at: usize) -> usize {
    let rest = &code[at + 1..];
    if rest.starts_with('\\') {
        return rest[2.min(rest.len())..].find('\'').map_or(code.len(), |end| at + 1 + 2 + end + 1);
    }
    let mut characters = rest.char_indices();
    let after = characters.next().map(|(_, first)| first.len_utf8());
    match after {
        Some(length) if rest[length..].starts_with('\'') => at + 1 + length + 1,
        _ => at + 1 + rest.bytes().take_while(|byte| is_word(*byte)).count(),
    }
}

fn number(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < bytes.len() {
        // `1.5` is one number, `1..5` and `1.max(5)` are not.
        let fraction = bytes[at] == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !is_word(bytes[at]) && !fraction {
            break;
        }
        at += 1;
    }
    at
}

/// The end of a text that the word from `start` to `end` is the prefix of: `r#"…"#`, `b"…"`. `Some(None)` where it does not end.
fn prefixed(bytes: &[u8], start: usize, end: usize) -> Option<Option<usize>> {
    let word = &bytes[start..end];
    if matches!(word, b"b" | b"c") && bytes.get(end) == Some(&b'"') {
        return Some(text(bytes, end + 1));
    }
    if !matches!(word, b"r" | b"br" | b"cr") {
        return None;
    }
    let hashes = bytes[end..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(end + hashes) != Some(&b'"') {
        return None;
    }
    let mut closing = vec![b'"'];
    closing.resize(1 + hashes, b'#');
    let from = end + hashes + 1;
    Some(
        bytes[from..]
            .windows(closing.len())
            .position(|window| window == closing)
            .map(|length| from + length + closing.len()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_and_comments_are_none() {
        let code = ":dep a = { path = \"(\" }\n// (\nlet a = \"(\\\"\"; /* { /* */ */ let b = '('; let c: &'static str = r#\"\"[\"#; b\"{\"; 1..2; 1.5";
        let (tokens, open) = lex(code);
        assert!(!open);
        assert!(tokens.iter().all(|token| !matches!(token.kind, Kind::Open(_) | Kind::Close(_))), "{tokens:?}");
        assert_eq!(&code[tokens.last().unwrap().start..], "1.5");
    }

    #[test]
    fn what_does_not_end_is_open() {
        for code in ["\"abc", "r#\"abc\"", "/* /* */", "let a = b\"x"] {
            assert!(lex(code).1, "{code}");
        }
        assert!(!lex("'").1);
        assert!(!lex("'\\").1);
        assert!(!lex("'é' 'é").1);
    }
}
