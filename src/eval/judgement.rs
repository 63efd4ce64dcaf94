//! What is said of a photo beside its class.

use serde::{Deserialize, Serialize};

/// What is said of a photo beside the probabilities of its classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The classes that are not too unlikely, the most probable first: with the coverage that was asked for, the true one is among them. None where
    /// there were too few validation photos to tell.
    pub one_of: Option<Vec<usize>>,
    /// The coverage that was asked for.
    pub coverage: f64,
    /// How far its features are from those of training photos, 0 to 2; none where the model file carries none.
    pub distance: Option<f32>,
    /// Its energy: lower for photos like those that were learned from.
    pub energy: f32,
    /// Whether it is taken for a photo of none of the classes. None where there were too few validation photos to tell, or none are to be called so.
    pub is_unknown: Option<bool>,
}
