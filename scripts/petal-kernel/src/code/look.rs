//! Small questions about a cell's code.

use super::lex::{Kind, lex};

/// Words that a last statement may begin with that has no value of its own.
const WITHOUT_A_VALUE: [&str; 19] = [
    "fn",
    "pub",
    "struct",
    "enum",
    "union",
    "impl",
    "trait",
    "mod",
    "use",
    "for",
    "while",
    "macro_rules",
    "type",
    "const",
    "static",
    "extern",
    "let",
    "async",
    "loop",
];

/// Whether the last statement may be an expression whose value the cell shows.
pub(crate) fn ends_in_a_value(code: &str) -> bool {
    let (tokens, _) = lex(code);
    let Some(last) = tokens.last() else { return false };
    if last.kind == Kind::Mark(b';') {
        return false;
    }
    let (mut depth, mut start) = (0usize, 0);
    for (index, token) in tokens[..tokens.len() - 1].iter().enumerate() {
        match token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(bracket) => {
                depth = depth.saturating_sub(1);
                if depth == 0 && bracket == b'}' {
                    start = index + 1;
                }
            }
            Kind::Mark(b';') if depth == 0 => start = index + 1,
            _ => {}
        }
    }
    let first = &tokens[start];
    first.kind != Kind::Mark(b'#')
        && !(first.kind == Kind::Word && WITHOUT_A_VALUE.contains(&&code[first.start..first.end]))
}

/// The numbers of the lines, from 1, that hold a `?`.
pub(crate) fn lines_with_question_marks(code: &str) -> Vec<usize> {
    let mut lines: Vec<usize> = lex(code)
        .0
        .iter()
        .filter(|token| token.kind == Kind::Mark(b'?'))
        .map(|token| code[..token.start].matches('\n').count() + 1)
        .collect();
    lines.dedup();
    lines
}

/// Which line of the code, from 1, is the one that a compiled file has as its line `number`; none where no line is like it.
pub(crate) fn line_in(code: &str, compiled: &str, number: usize) -> Option<usize> {
    let compiled: Vec<&str> = compiled.lines().map(str::trim).collect();
    let at = number.checked_sub(1).filter(|at| *at < compiled.len())?;
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let alike = |line: usize, other: i64| {
        let near =
            |index: usize, length: usize| usize::try_from(index as i64 + other).ok().filter(|index| *index < length);
        match (near(line, lines.len()), near(at, compiled.len())) {
            (Some(line), Some(at)) => usize::from(lines[line] == compiled[at]),
            _ => 0,
        }
    };
    // The last line of a cell may have been changed to show its value.
    let same =
        |line: usize| !lines[line].is_empty() && (lines[line] == compiled[at] || compiled[at].contains(lines[line]));
    let likeness = |line: usize| (-3..=3).map(|other| alike(line, other)).sum::<usize>();
    (0..lines.len())
        .filter(|line| same(*line))
        .max_by_key(|line| (likeness(*line), std::cmp::Reverse(*line)))
        .map(|line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_from_a_statement() {
        for code in [
            "1 + 1",
            "x",
            "let a = 1; a",
            "if a { 1 } else { 2 }",
            "match a { _ => 1 }",
            "f(1)",
            "{ 1 }",
            "fn f() {}\nf()",
        ] {
            assert!(ends_in_a_value(code), "{code}");
        }
        for code in [
            "",
            "x;",
            "let a = 1;",
            "fn f() {}",
            "for a in b { show(a) }",
            "struct A {}",
            "// x",
            "#[derive(Debug)] struct A {}",
            ":vars",
        ] {
            assert!(!ends_in_a_value(code), "{code}");
        }
    }

    #[test]
    fn question_marks_in_texts_are_none() {
        assert_eq!(lines_with_question_marks("a?;\n\"what?\"; // why?\nb?.c()?;"), [1, 3]);
    }

    #[test]
    fn a_line_is_found_again_by_itself_and_its_neighbours() {
        let code = "let a = 1;\npanic!();\nlet b = 2;\npanic!();\nb + 1";
        let compiled = format!("#![allow(x)]\nfn f() {{\n{}\nshow(&(b + 1));\n}}", code.rsplit_once('\n').unwrap().0);
        assert_eq!(line_in(code, &compiled, 4), Some(2));
        assert_eq!(line_in(code, &compiled, 6), Some(4));
        assert_eq!(line_in(code, &compiled, 7), Some(5));
        assert_eq!(line_in(code, &compiled, 1), None);
        assert_eq!(line_in(code, &compiled, 99), None);
    }
}
