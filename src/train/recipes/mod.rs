//! What a training does by hooks. A recipe is one file here, and one line of this one.

pub mod by_settings;
pub mod ema;
pub mod growing_rate;
pub mod mixing;
pub mod recipe;
pub mod schedule;
pub mod seed;
pub mod smoothing;
pub mod unfreezing;

pub use by_settings::BySettings;
pub use ema::Ema;
pub use growing_rate::GrowingRate;
pub use mixing::Mixing;
pub use recipe::{At, Recipe, State};
pub use schedule::Schedule;
pub use seed::SeedRecipe;
pub use smoothing::Smoothing;
pub use unfreezing::Unfreezing;
