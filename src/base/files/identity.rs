//! Which file or folder a path leads to, whatever it is called.

use std::io;
use std::path::{Path, PathBuf};

/// Which file or folder a path leads to. Two paths have the same one if they are spelled otherwise, lead there through links, are hard
/// links of one file, or differ in case on a file system to which that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(Place);

#[cfg(unix)]
type Place = (u64, u64);
#[cfg(not(unix))]
type Place = PathBuf;

impl Identity {
    /// Follows links to their end.
    ///
    /// # Errors
    /// Nothing is there, or it may not be looked at.
    #[cfg(unix)]
    pub fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map(|found| Self((found.dev(), found.ino())))
    }

    /// Follows links to their end.
    ///
    /// # Errors
    /// Nothing is there, or it may not be looked at.
    #[cfg(not(unix))]
    pub fn of(path: &Path) -> io::Result<Self> {
        path.canonicalize().map(Self)
    }

    /// Whether a path leads to this, or to something inside it. What of the path is not there yet is taken as it is written.
    pub fn holds(&self, path: &Path) -> bool {
        real(path).ancestors().any(|above| Self::of(above).is_ok_and(|found| found == *self))
    }
}

/// Where a path really leads: absolute, links followed as far as there is something.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut rest = Vec::new();
    for above in absolute.ancestors() {
        if let Ok(found) = above.canonicalize() {
            return rest.iter().rev().fold(found, |path: PathBuf, name| path.join(name));
        }
        rest.extend(above.file_name());
    }
    absolute
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_spellings_lead_to_one_thing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("photos/roses")).unwrap();
        std::fs::write(root.join("photos/roses/1.jpg"), b"x").unwrap();
        std::fs::hard_link(root.join("photos/roses/1.jpg"), root.join("other.jpg")).unwrap();
        symlink("photos", root.join("link")).unwrap();
        let of = |path: &str| Identity::of(&root.join(path)).unwrap();
        assert_eq!(of("photos/roses/1.jpg"), of("other.jpg"));
        assert_eq!(of("photos"), of("link"));
        assert_ne!(of("photos"), of("photos/roses"));
        for inside in ["photos", "link", "link/roses/1.jpg", "photos/../link/roses/new/one.jpg", "photos/roses"] {
            assert!(of("photos").holds(&root.join(inside)), "{inside}");
        }
        for outside in ["", "photos of mine", "new", "link/.."] {
            assert!(!of("photos").holds(&root.join(outside)), "{outside}");
        }
        assert!(Identity::of(&root.join("nothing")).is_err());
    }
}
