//! Views of the cache's files.

use super::progress::evicted;
use super::table::{Cells, Table};
use super::words::{ago, bytes, counted};
use super::{View, shows};
use crate::base::project::Project;
use crate::train::{Cache, CacheFile, Evicted};

shows!(Cache, Evicted);

impl Cache {
    /// The files, those first that go first where room is needed.
    pub fn view(&self) -> View {
        let view = View::new(format!("cache: {}, {}", counted(self.files.len(), "file"), bytes(self.bytes())))
            .facts([("folder", self.folder.display().to_string())]);
        if self.files.is_empty() {
            return view;
        }
        // A clock that was set back may not have come so far.
        let used = |file: &CacheFile| file.used.elapsed().map_or("–".into(), ago);
        let text = |cell: &dyn Fn(&CacheFile) -> String| Cells::Text(self.files.iter().map(cell).collect());
        let table = Table::new([
            (
                "frozen layers",
                text(&|file| file.made_by.clone().unwrap_or_else(|| "unfinished, or of another petal".into())),
            ),
            ("photos", Cells::Counts(self.files.iter().map(|file| file.photos as u64).collect())),
            ("size", text(&|file| bytes(file.bytes))),
            ("last used", text(&used)),
            ("in use", text(&|file| if file.in_use { "yes".into() } else { String::new() })),
        ]);
        view.table_or_why(table).hint("Cache::open(&project)?.clear()? removes all that no training is reading; they are computed again when needed")
    }
}

impl Evicted {
    /// How many, and their size.
    pub fn view(&self) -> View {
        View::new(format!("removed: {}", evicted(self)))
    }
}

/// What the cache of a project takes, in a few words.
pub(super) fn stand(project: &Project) -> String {
    match Cache::open(project) {
        Ok(cache) => format!("{} in {}", bytes(cache.bytes()), counted(cache.files.len(), "file")),
        Err(error) => error.what().into(),
    }
}
