//! What a training does by hooks. A recipe is one file here, and one line of this one.

pub mod growing_rate;
pub mod recipe;
pub mod seed;

pub use growing_rate::GrowingRate;
pub use recipe::{At, Recipe, State};
pub use seed::SeedRecipe;
