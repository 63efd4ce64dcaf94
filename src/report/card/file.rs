//! Where a model's card is, and whether it may be written.

use std::path::{Path, PathBuf};

use crate::base::error::Result;
use crate::base::files::output;
use crate::base::files::signed::{Standing, plain, standing, standing_at};
use crate::train::run::RunRecord;
use crate::train::run::record::CARD;

/// What became of a model's card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The card.
    pub path: PathBuf,
    /// Whether it says what was measured now. If not, somebody has changed it, and it was left as it is.
    pub is_new: bool,
}

impl Written {
    /// In words, as a list of facts has it.
    pub fn words(&self) -> String {
        let path = self.path.display();
        if self.is_new { path.to_string() } else { format!("{path}, which somebody has changed: left as it is") }
    }
}

/// A card, so that an earlier one is told from other files. Whether it was changed since, is looked at before.
const KIND: output::Kind = output::Kind { name: "a model card", is: |bytes| bytes.starts_with(b"---") };

impl RunRecord {
    /// The run's card.
    pub fn card_file(&self) -> PathBuf {
        self.folder.join(CARD)
    }

    /// Writes the card of the run's model into its folder. A card that somebody has changed is left as it is.
    ///
    /// # Errors
    /// What writing can give.
    pub fn write_card(&self) -> Result<Written> {
        write(&self.card_file(), &self.card())
    }

    /// Writes the card of a copy of the model beside it: `MODEL_CARD.md`, or `MODEL_CARD.NAME.md` for `NAME.safetensors` where that is another model's.
    ///
    /// # Errors
    /// What writing can give.
    pub fn write_card_beside(&self, model: &Path, sha256: &str) -> Result<Written> {
        let name = model.file_name().unwrap_or_default().to_string_lossy();
        let common = model.with_file_name(CARD);
        let path = match standing_at(&common)? {
            Standing::Unchanged(file) | Standing::Changed(file) if file != plain(&name) => {
                let stem = model.file_stem().unwrap_or_default().to_string_lossy();
                model.with_file_name(CARD.replace(".md", &format!(".{stem}.md")))
            }
            _ => common,
        };
        write(&path, &self.card_of(&name, sha256))
    }
}

fn write(path: &Path, card: &str) -> Result<Written> {
    let is_new = matches!(standing_at(path)?, Standing::Free | Standing::Unchanged(_));
    if is_new {
        debug_assert!(matches!(standing(card.as_bytes()), Standing::Unchanged(_)));
        output::write(path, KIND, card.as_bytes())?;
    }
    Ok(Written { path: path.to_path_buf(), is_new })
}
