//! Model cards: what a model is, as the Hugging Face hub's `MODEL_CARD.md` (Mitchell et al. 2019, arXiv:1810.03993), written from what was recorded and
//! measured.
//!
//! A card is a head that machines read, and `SECTIONS`: each a function of what the run's folder tells. One more is one line there. What a run does not
//! tell is not in its card, and the card says so where a reader would look for it. No path is in it but file names: cards are published.

mod data;
mod file;
mod front;
mod made_from;
mod markup;
mod results;
mod slices;
mod training;
mod trusted;
mod using;

use made_from::Card;

use crate::base::files::signed::sign;
use crate::train::run::RunRecord;

pub use file::Written;

/// What a section says: Markdown.
type Says = fn(&Card) -> String;

/// The sections of a card, in order: a heading, and the Markdown below it. A section that says nothing is left out, heading and all.
const SECTIONS: [(&str, Says); 11] = [
    ("How to use it", using::load),
    ("What it is for", using::purpose),
    ("How good it is", results::measured),
    ("Class by class", results::by_class),
    ("Where it is weaker", slices::slices),
    ("How far to trust it", trusted::trusted),
    ("The photos", data::photos),
    ("Split and leaks", data::split),
    ("How it was trained", training::trained),
    ("What it was not tested for", using::untested),
    ("Licence", using::licence),
];

impl RunRecord {
    /// The model card of the run's `best.safetensors`, in the Hugging Face hub's format: YAML between `---`, then Markdown.
    ///
    /// ```no_run
    /// # use petal::prelude::*;
    /// # fn cells(learner: &Learner) -> Result<()> {
    /// println!("{}", learner.run().record()?.card());
    /// # Ok(()) }
    /// ```
    pub fn card(&self) -> String {
        self.card_of("best.safetensors", &self.made_by.best_sha256)
    }

    /// The same for a copy of the model under another name, with this hash.
    pub fn card_of(&self, file: &str, sha256: &str) -> String {
        let card = Card { record: self, file, sha256 };
        let sections = SECTIONS.iter().map(|(heading, section)| (heading, section(&card)));
        let said =
            sections.filter(|(_, text)| !text.is_empty()).map(|(heading, text)| format!("\n## {heading}\n\n{text}"));
        let text = format!("{}\n{}{}", front::front(&card), using::begin(&card), said.collect::<String>());
        sign(file, &text)
    }
}
