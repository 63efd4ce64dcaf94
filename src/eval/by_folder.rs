//! The true classes of photos that lie in folders named after them.

use std::path::{Path, PathBuf};

use super::Prediction;

/// Gives predictions their true class where the photo lies in a folder with a class's name: the nearest one, among the folders that were named and
/// those below them. What lies elsewhere stays without one. Gives how many have one.
///
/// ```
/// use petal::eval::{Prediction, by_folder};
///
/// let photo = |path: &str| Prediction::new(path, None, vec![0.9, 0.1]);
/// let mut found = ["home/daisy/new/roses/old/1.jpg", "home/daisy/new/2.jpg"].map(photo);
/// let classes = ["daisy".to_string(), "roses".to_string()];
/// assert_eq!(by_folder(&["home/daisy/new".into()], &classes, &mut found), 1);
/// assert_eq!(found.map(|photo| photo.target), [Some(1), None]);
/// ```
pub fn by_folder(named: &[PathBuf], classes: &[String], predictions: &mut [Prediction]) -> usize {
    let mut known = 0;
    for prediction in predictions {
        prediction.target = named.iter().find_map(|root| target(root, classes, &prediction.path));
        known += usize::from(prediction.target.is_some());
    }
    known
}

fn target(root: &Path, classes: &[String], photo: &Path) -> Option<usize> {
    let below = photo.strip_prefix(root).ok()?;
    // Of a photo that was named itself, its folder counts.
    let top = if below.as_os_str().is_empty() { photo.parent()? } else { root };
    let folders = photo.ancestors().skip(1).take_while(|folder| folder.starts_with(top));
    folders
        .filter_map(|folder| folder.file_name()?.to_str())
        .find_map(|name| classes.iter().position(|class| class == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_that_was_named_counts_and_none_above_it() {
        let classes = ["a", "b"].map(String::from);
        let target = |root: &str, photo: &str| target(Path::new(root), &classes, Path::new(photo));
        assert_eq!(target("a", "a/b/1.jpg"), Some(1));
        assert_eq!(target("a", "a/x/1.jpg"), Some(0));
        assert_eq!(target("x/b/1.jpg", "x/b/1.jpg"), Some(1));
        assert_eq!(target("a/x/1.jpg", "a/x/1.jpg"), None);
        assert_eq!(target("a/x", "a/x/1.jpg"), None);
        assert_eq!(target("b", "a/1.jpg"), None);
    }
}
