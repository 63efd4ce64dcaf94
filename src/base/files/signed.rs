//! Texts that petal writes and people go on writing: petal writes one anew only as long as nobody has changed it.
//!
//! Such a text begins with `---`, as one with a YAML head does. The line below it, a comment to YAML, says for which file petal has written it, and has
//! the hash of all that follows.

use std::path::Path;

use super::{read, sha256};
use crate::base::error::Result;

const BEGIN: &str = "# Written by petal for ";
const MIDDLE: &str = ", and written anew until somebody changes it. SHA-256 of what follows: ";

/// What stands in the place of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing that could be lost.
    Free,
    /// A text that petal wrote for a file of this name, as it wrote it.
    Unchanged(String),
    /// A text that petal wrote for a file of this name, and somebody has changed.
    Changed(String),
    /// A text of somebody's own.
    Foreign,
}

/// A text, without its first `---`, as it is written for a file of this name.
///
/// ```
/// use petal::files::signed::{Standing, sign, standing};
///
/// let text = sign("best.safetensors", "tags:\n- petal\n---\n\n# A model\n");
/// assert!(text.starts_with("---\n# Written by petal for best.safetensors"));
/// assert_eq!(standing(text.as_bytes()), Standing::Unchanged("best.safetensors".into()));
/// // Git may write lines otherwise; a person may write other words.
/// assert_eq!(standing(text.replace('\n', "\r\n").as_bytes()), Standing::Unchanged("best.safetensors".into()));
/// assert_eq!(standing(format!("{text}Mine.").as_bytes()), Standing::Changed("best.safetensors".into()));
/// assert_eq!(standing(b"# My model"), Standing::Foreign);
/// ```
pub fn sign(file: &str, text: &str) -> String {
    format!("---\n{BEGIN}{}{MIDDLE}{}\n{text}", plain(file), sha256(text.as_bytes()))
}

/// What these bytes are.
pub fn standing(bytes: &[u8]) -> Standing {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Standing::Free;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Standing::Foreign };
    let text = text.replace("\r\n", "\n");
    let signed = text.strip_prefix("---\n").and_then(|rest| rest.strip_prefix(BEGIN)).and_then(|rest| {
        let (line, text) = rest.split_once('\n')?;
        let (file, hash) = line.split_once(MIDDLE)?;
        Some((file.to_string(), hash == sha256(text.as_bytes())))
    });
    match signed {
        Some((file, true)) => Standing::Unchanged(file),
        Some((file, false)) => Standing::Changed(file),
        None => Standing::Foreign,
    }
}

/// What stands at a path.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) for what cannot be read.
pub fn standing_at(path: &Path) -> Result<Standing> {
    match path.symlink_metadata() {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Standing::Free),
        // A link to nothing is somebody's, too.
        Ok(found) if found.is_symlink() && !path.exists() => Ok(Standing::Foreign),
        _ => Ok(standing(&read(path)?)),
    }
}

/// A file's name as it stands in such a line: letters and digits of any script, and what harms no YAML.
pub fn plain(file: &str) -> String {
    file.chars().map(|c| if c.is_alphanumeric() || "-_. ".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_an_unchanged_text_of_ones_own_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("MODEL_CARD.md");
        assert_eq!(standing_at(&path).unwrap(), Standing::Free);
        for (bytes, expected) in [
            (b" \n".to_vec(), Standing::Free),
            (b"---\nlicense: mit\n---\n".to_vec(), Standing::Foreign),
            (vec![0xff, 0xd8, 0xff], Standing::Foreign),
            (sign("a\n---\n\"b", "x").into_bytes(), Standing::Unchanged("a_---__b".into())),
            (sign("m", "x").replace("for m", "for n").into_bytes(), Standing::Unchanged("n".into())),
            (sign("m", "x").replace("\nx", "\ny").into_bytes(), Standing::Changed("m".into())),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(standing_at(&path).unwrap(), expected);
        }
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("nowhere", &link).unwrap();
            assert_eq!(standing_at(&link).unwrap(), Standing::Foreign);
        }
    }
}
