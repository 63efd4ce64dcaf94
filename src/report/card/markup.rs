//! Text that means itself in Markdown, and in YAML.

use super::super::plain::printable;

/// Text that means itself in a line of Markdown or in a cell of its tables, whichever dialect reads it: neither markup, nor HTML, nor a link or a
/// mention.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // An address would become a link by itself, and so would a name after an @.
            ':' => escaped.push_str("&#58;"),
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '+' | '!' | '|' | '~' | '$' | '^' | '=' => {
                escaped.extend(['\\', c]);
            }
            c => escaped.push(c),
        }
    }
    // "www.", too; and what would begin a list or a rule at the beginning of a line.
    let escaped = escaped.replace("www.", "www&#46;").replace("WWW.", "WWW&#46;");
    match escaped.chars().next() {
        Some('-') => format!("\\{escaped}"),
        _ => escaped,
    }
}

/// A name in a span of code, where nothing is markup but what ends it.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", printable(text).replace('`', "'").replace('|', "¦"))
}

/// A YAML string in double quotes (YAML 1.2, 7.3.1), on one line: it means itself whatever is in it.
pub(super) fn yaml(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in printable(text).chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // What YAML calls printable (5.1), but for what ends a line.
            ' '..='~'
            | '\u{a0}'..='\u{2027}'
            | '\u{202a}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fefe}'
            | '\u{ff00}'..='\u{fffd}' => quoted.push(c),
            '\u{10000}'.. => quoted.push(c),
            c => quoted += &format!("\\u{:04x}", c as u32),
        }
    }
    quoted + "\""
}

/// A table of Markdown; its cells are Markdown already. Columns of numbers stand to the right.
pub(super) fn table<const N: usize>(head: [(&str, bool); N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let names = head.map(|(name, _)| name.to_string());
    let marks = head.map(|(_, is_number)| if is_number { "---:" } else { "---" }.to_string());
    [names, marks].into_iter().chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(markdown("<b>&[a](http://x) | *b*\n---"), "&lt;b&gt;&amp;\\[a\\](http&#58;//x) \\| \\*b\\*\\\\n---");
        assert_eq!(markdown("--- www.x.org @me"), "\\--- www&#46;x.org &#64;me");
        assert_eq!(code("a`b|c\n"), "`a'b¦c\\n`");
        assert_eq!(yaml("a: \"b\"\n\\ # ---\u{2028}\u{fffe}🌷"), "\"a: \\\"b\\\"\\\\n\\\\ # ---\\u2028\\ufffe🌷\"");
    }
}
