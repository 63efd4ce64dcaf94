//! Sets of classes that have the true one in them as often as was asked for.
//!
//! Split conformal prediction: what the validation photos' true classes scored says which classes of another photo are not yet too unlikely. It
//! holds on average over photos like those, whatever the network is worth (Vovk et al. 2005).

pub mod aps;
pub mod lac;
pub mod threshold;

pub use threshold::photos_needed;
