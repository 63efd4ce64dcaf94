//! Which names a cell makes, and which of others it uses.

use super::lex::{Kind, Token, lex};
use std::collections::BTreeSet;

/// Words after which the name of an item stands.
const ITEMS: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "const", "static", "type"];

/// What a cell makes for other cells, and what it uses that was there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) made: BTreeSet<String>,
    /// Also words that are no names of variables: what they are, the code alone does not tell.
    pub(crate) used: BTreeSet<String>,
}

/// Reads a cell's statements in their order: what one has made, those behind it do not take from before.
pub(crate) fn names(code: &str) -> Names {
    let (tokens, _) = lex(code);
    let mut names = Names::default();
    for statement in statements(&tokens) {
        let (made, rest) = split(code, statement);
        for index in rest {
            let token = statement[index];
            let word = &code[token.start..token.end];
            let of_something = index > 0
                && statement[index - 1].kind == Kind::Mark(b'.')
                && (index < 2 || statement[index - 2].kind != Kind::Mark(b'.'));
            let words: Vec<&str> = match token.kind {
                Kind::Word if !of_something => vec![word],
                Kind::Literal => formatted(word),
                _ => Vec::new(),
            };
            names.used.extend(words.into_iter().filter(|name| !names.made.contains(*name)).map(str::to_owned));
        }
        names.made.extend(made);
    }
    names
}

/// The names in a text that is a format: `"{name} {name:?}"`.
fn formatted(text: &str) -> Vec<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|part| {
            let end = part.find(|character: char| !character.is_alphanumeric() && character != '_')?;
            (end > 0 && part[end..].starts_with(['}', ':'])).then_some(&part[..end])
        })
        .collect()
}

/// The statements that stand in no bracket: each ends with its semicolon or with its block.
fn statements(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    let mut depth = 0usize;
    tokens.split_inclusive(move |token| match token.kind {
        Kind::Open(_) => {
            depth += 1;
            false
        }
        Kind::Close(bracket) => {
            depth = depth.saturating_sub(1);
            depth == 0 && bracket == b'}'
        }
        Kind::Mark(b';') => depth == 0,
        _ => false,
    })
}

/// What a statement makes, and which of its tokens are its rest.
fn split(code: &str, statement: &[Token]) -> (Vec<String>, Vec<usize>) {
    let word = |index: usize| {
        statement.get(index).filter(|token| token.kind == Kind::Word).map(|token| &code[token.start..token.end])
    };
    let first = (0..statement.len()).find(|index| !matches!(word(*index), Some("pub"))).unwrap_or(0);
    let rest_from = |start: usize| (start..statement.len()).collect();
    match word(first) {
        Some("let") => {
            let end = pattern_end(statement, first + 1);
            let made = (first + 1..end).filter_map(word).filter(|name| is_variable(name)).map(str::to_owned);
            (made.collect(), rest_from(end))
        }
        Some(item) if ITEMS.contains(&item) => {
            (word(first + 1).map(str::to_owned).into_iter().collect(), rest_from(first + 2))
        }
        _ => (Vec::new(), rest_from(0)),
    }
}

/// Where the pattern of a `let` ends: at its type or its value.
fn pattern_end(statement: &[Token], start: usize) -> usize {
    let mut depth = 0usize;
    let colon = |index: usize| statement.get(index).is_some_and(|token| token.kind == Kind::Mark(b':'));
    for (index, token) in statement.iter().enumerate().skip(start) {
        match token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(_) => depth = depth.saturating_sub(1),
            Kind::Mark(b'=' | b';') if depth == 0 => return index,
            // Two of them are a path's.
            Kind::Mark(b':') if depth == 0 && !colon(index + 1) && !colon(index - 1) => return index,
            _ => {}
        }
    }
    statement.len()
}

/// Variables are written small; what is written large in a pattern is a type.
fn is_variable(name: &str) -> bool {
    !matches!(name, "mut" | "ref" | "_") && name.starts_with(|first: char| first.is_lowercase() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn patterns_and_items_make_names() {
        for (code, made) in [
            ("let a = 1;", &["a"][..]),
            ("let mut a: Vec<u8> = b;", &["a"]),
            ("let (a, mut b): (u8, u8) = c;\nlet d;", &["a", "b", "d"]),
            ("let Some(a) = b else { panic!() };", &["a"]),
            ("let std::ops::Range { start, end: e } = r;", &["std", "ops", "start", "end", "e"]),
            ("fn f(x: u8) {}\npub struct S { y: u8 }\nconst N: u8 = 1;", &["f", "S", "N"]),
            ("{ let inner = 1; }", &[]),
            ("println!(\"let a = 1;\"); // let b = 2;", &[]),
        ] {
            assert_eq!(names(code).made, set(made), "{code}");
        }
    }

    #[test]
    fn what_was_there_before_is_used() {
        let used = |code: &str| names(code).used;
        assert!(used("let learner = learner.fit()?;").contains("learner"), "the one before");
        assert!(!used("let a = 1;\na + 1").contains("a"), "its own");
        assert!(!used("project.learner").contains("learner"), "a field");
        assert!(used("println!(\"{ready} {report:?} {{no}}\")").is_superset(&set(&["ready", "report"])));
        assert!(used("0..end").contains("end"), "no field");
        assert!(used("if ready { report.show() }").is_superset(&set(&["ready", "report"])));
    }
}
