//! Whether a photo is of none of the classes: by how far its features are from those of all training photos, or by its energy.

pub mod bank;
pub mod detection;
pub mod energy;
pub mod neighbours;

pub use detection::Detection;
