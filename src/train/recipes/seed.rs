//! The plainest training: a constant rate, the batch as it is, cross-entropy, nothing after a step.

use super::recipe::Recipe;

/// The plainest training: a constant learning rate, the batch as it is, cross-entropy, nothing after a step. It adds nothing to a phase's
/// identity.
///
/// ```
/// use petal::prelude::*;
///
/// let phase = Phase::head(&Config::seed());
/// assert!(phase.recipe.key(&phase.settings()).is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedRecipe;

impl Recipe for SeedRecipe {}
