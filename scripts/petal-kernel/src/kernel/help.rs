//! Completion and inspection, by the rust-analyzer in evcxr.

use crate::code::{byte_of, character_of};
use crate::wire::Message;
use evcxr::CommandContext;
use serde_json::{Value, json};

/// What `complete_request` is answered with.
pub(super) fn complete(context: &mut CommandContext, request: &Message) -> Value {
    let code = request.text("code");
    let cursor = request.content["cursor_pos"].as_u64().unwrap_or(u64::MAX) as usize;
    let at = byte_of(code, cursor);
    let Ok(found) = context.completions(code, at) else {
        let at = character_of(code, at);
        return json!({ "status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {} });
    };
    let (start, end) = (character_of(code, found.start_offset), character_of(code, found.end_offset));
    let mut matches: Vec<&str> = Vec::new();
    let mut types = Vec::new();
    for completion in &found.completions {
        if matches.contains(&completion.code.as_str()) {
            continue;
        }
        matches.push(&completion.code);
        types.push(json!({ "text": completion.code, "type": completion.kind, "signature": completion.label, "start": start, "end": end }));
    }
    json!({
        "status": "ok", "matches": matches, "cursor_start": start, "cursor_end": end,
        "metadata": { "_jupyter_types_experimental": types },
    })
}

/// What `inspect_request` is answered with.
pub(super) fn inspect(context: &mut CommandContext, request: &Message) -> Value {
    let code = request.text("code");
    let at = name_end(code, byte_of(code, request.content["cursor_pos"].as_u64().unwrap_or(u64::MAX) as usize));
    match context.hover_at(code, at) {
        Ok((plain, html)) if !plain.is_empty() && plain != "No documentation found" => {
            json!({ "status": "ok", "found": true, "data": { "text/plain": plain, "text/html": html }, "metadata": {} })
        }
        _ => json!({ "status": "ok", "found": false, "data": {}, "metadata": {} }),
    }
}

/// The end of the name that the cursor is in, or just behind; with the bracket after it, by which evcxr knows a method.
fn name_end(code: &str, at: usize) -> usize {
    let is_name = |character: char| character == '_' || character.is_alphanumeric();
    let behind = code[..at].chars().next_back().is_some_and(is_name);
    let length: usize = code[at..].chars().take_while(|character| is_name(*character)).map(char::len_utf8).sum();
    if !behind && length == 0 {
        // `name(|` asks for the name.
        let before = code[..at].trim_end_matches(['(', ' ']);
        return if before.len() < at && code[before.len()..].starts_with('(') { before.len() + 1 } else { at };
    }
    let end = at + length;
    if code[end..].starts_with('(') { end + 1 } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_at_the_cursor_is_taken_whole() {
        for (code, at, end) in [
            ("println", 3, 7),
            ("a.len()", 4, 6),
            ("a.len()", 6, 6),
            ("x + y", 1, 1),
            ("x + y", 5, 5),
            ("", 0, 0),
            ("f(", 2, 2),
        ] {
            assert_eq!(name_end(code, at), end, "{code} {at}");
        }
    }
}
