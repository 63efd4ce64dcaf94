//! Whether a cell's code is whole, for consoles that ask at each line.

use super::lex::{Kind, lex};

/// Whether code can run as it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// It can run.
    Complete,
    /// More lines are to come; so many spaces are before the next.
    Incomplete(usize),
    /// No further line can mend it.
    Invalid,
}

/// Words that are followed by a block, or by more.
const OPENERS: [&str; 15] = [
    "fn",
    "struct",
    "enum",
    "union",
    "impl",
    "trait",
    "mod",
    "if",
    "for",
    "while",
    "loop",
    "match",
    "unsafe",
    "async",
    "macro_rules",
];
/// Words that no statement ends with.
const UNFINISHED: [&str; 9] = ["else", "let", "in", "as", "use", "where", "mut", "pub", "dyn"];

/// Looks at brackets, texts, comments and the last word or mark.
pub(crate) fn completeness(code: &str) -> Completeness {
    let (tokens, open) = lex(code);
    let mut brackets = Vec::new();
    for token in &tokens {
        match token.kind {
            Kind::Open(bracket) => brackets.push(bracket),
            Kind::Close(bracket) => {
                let opening = match bracket {
                    b')' => b'(',
                    b']' => b'[',
                    _ => b'{',
                };
                if brackets.pop() != Some(opening) {
                    return Completeness::Invalid;
                }
            }
            _ => {}
        }
    }
    let indent = 4 * brackets.len();
    if open || !brackets.is_empty() {
        return Completeness::Incomplete(indent);
    }
    let Some(last) = tokens.last() else { return Completeness::Complete };
    let before = tokens.len().checked_sub(2).map(|index| tokens[index].kind);
    let word = |index: usize| &code[tokens[index].start..tokens[index].end];
    let unfinished = match last.kind {
        Kind::Mark(b'.') => before != Some(Kind::Mark(b'.')),
        Kind::Mark(mark) => b"=+-*/%&|^,:<!#@".contains(&mark),
        Kind::Word => UNFINISHED.contains(&word(tokens.len() - 1)) || OPENERS.contains(&word(tokens.len() - 1)),
        // An attribute stands before something.
        Kind::Close(b']') => attribute_ends(&tokens.iter().map(|token| token.kind).collect::<Vec<_>>()),
        _ => false,
    };
    if unfinished {
        return Completeness::Incomplete(0);
    }
    // A head without its block: the last statement begins with such a word and has no braces.
    let start = tokens
        .iter()
        .rposition(|token| matches!(token.kind, Kind::Mark(b';') | Kind::Close(b'}')))
        .map_or(0, |index| index + 1);
    let first = (start..tokens.len())
        .find(|index| tokens[*index].kind != Kind::Word || !matches!(word(*index), "pub" | "const" | "extern"));
    match first {
        Some(index) if tokens[index].kind == Kind::Word && OPENERS.contains(&word(index)) => {
            Completeness::Incomplete(4)
        }
        _ => Completeness::Complete,
    }
}

/// Whether the last bracket is an attribute's (`#[…]`).
fn attribute_ends(kinds: &[Kind]) -> bool {
    let mut depth = 0;
    for (index, kind) in kinds.iter().enumerate().rev() {
        match kind {
            Kind::Close(_) => depth += 1,
            Kind::Open(_) => {
                depth -= 1;
                if depth == 0 {
                    return index > 0 && kinds[index - 1] == Kind::Mark(b'#');
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_code_is_complete() {
        for code in [
            "",
            "1 + 1",
            "let x = 5;",
            "fn f() -> u8 { 3 }",
            "struct A;",
            "x?",
            "let v = vec![1, 2];",
            ":dep serde = { version = \"1\" }",
            ":vars",
            "// a comment",
            "let s = \"{\";",
            "match x { 1 => 2, _ => 3 }",
            "x[0]",
            "let a: Vec<u8> = f::<u8>()",
            "1..",
            "'a'",
        ] {
            assert_eq!(completeness(code), Completeness::Complete, "{code}");
        }
    }

    #[test]
    fn code_that_goes_on_is_incomplete() {
        for (code, indent) in [
            ("fn f() {", 4),
            ("fn f() {\n    if x {", 8),
            ("println!(", 4),
            ("let x =", 0),
            ("let s = \"abc", 0),
            ("/* abc", 0),
            ("a.", 0),
            ("a +", 0),
            ("fn f()", 4),
            ("pub struct A", 4),
            ("#[derive(Debug)]", 0),
            ("for x in 0..3", 4),
            ("if a { 1 } else", 0),
            ("use", 0),
        ] {
            assert_eq!(completeness(code), Completeness::Incomplete(indent), "{code}");
        }
    }

    #[test]
    fn what_cannot_be_mended_is_invalid() {
        for code in ["fn f() }", "let x = (1];", ")"] {
            assert_eq!(completeness(code), Completeness::Invalid, "{code}");
        }
    }
}
