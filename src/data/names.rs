//! What classes and photos are called: names that mean the same wherever a manifest is read.

use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use crate::base::error::{Error, ErrorKind, Result};

/// The last part of a path, as the name of a class or a photo.
///
/// # Errors
/// [`ErrorKind::Dataset`] for a name that another system would read otherwise.
pub(super) fn name_of(path: &Path) -> Result<String> {
    let fault = match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if !name.contains('\\') => return Ok(name.into()),
        Some(_) => "this name has a backslash in it",
        None => "this name is not UTF-8",
    };
    Err(Error::new(ErrorKind::Dataset, fault).at(path).mend("rename it"))
}

/// A path below a folder, with `/` between its parts.
///
/// # Errors
/// As for [`name_of`], for any part of it.
pub(super) fn below(root: &Path, path: &Path) -> Result<String> {
    let rest = path.strip_prefix(root).unwrap_or(path);
    let parts: Result<Vec<String>> =
        rest.iter().map(|part| name_of(&root.join(part)).map_err(|error| error.at(path))).collect();
    Ok(parts?.join("/"))
}

/// The same for what is only named: any name will do.
pub(super) fn shown_below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

/// What names have in common that some file systems take for one: they differ in case or Unicode form alone.
pub(super) fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// Fails where two classes have names that differ in case or Unicode form alone: they would be one folder elsewhere, and hardly anyone means two
/// classes by them.
///
/// # Errors
/// [`ErrorKind::Dataset`], naming both.
pub(super) fn check_distinct<'a>(classes: impl IntoIterator<Item = &'a String>) -> Result<()> {
    let mut all: Vec<(String, &String)> = classes.into_iter().map(|class| (folded(class), class)).collect();
    all.sort();
    match all.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1) {
        None => Ok(()),
        Some(pair) => {
            let (a, b) = (pair[0].1, pair[1].1);
            let how = if a.to_lowercase() == b.to_lowercase() {
                "in case"
            } else {
                "in the way that their letters are encoded (Unicode form)"
            };
            let what = format!("classes {a:?} ({}) and {b:?} ({}) differ only {how}", spelled(a), spelled(b));
            Err(Error::new(ErrorKind::Dataset, what).mend("put their photos into one, or rename one of them"))
        }
    }
}

/// A name letter by letter where it does not show how it is encoded.
fn spelled(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { format!("U+{:04X}", c as u32) })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_or_form_alone_are_refused_with_both() {
        let refused = |a: &str, b: &str| {
            let classes = [a.to_string(), "tulips".into(), b.to_string()];
            check_distinct(&classes).unwrap_err().what().to_string()
        };
        assert!(refused("Cat", "cat").contains("\"Cat\" (C a t) and \"cat\" (c a t) differ only in case"));
        let form = refused("Tulp\u{e9}", "Tulpe\u{301}");
        assert!(form.contains("U+00E9") && form.contains("e U+0301") && form.contains("Unicode form"), "{form}");
        assert!(refused("ÄPFEL", "a\u{308}pfel").contains("differ only"));
        let distinct = ["Cat", "Cats", "C\u{301}at", "cat ", "katze"].map(String::from);
        check_distinct(&distinct).unwrap();
        check_distinct(&[]).unwrap();
    }
}
