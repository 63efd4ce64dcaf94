//! What a model is before its head: a program of steps, or a whole network from elsewhere.

use std::collections::BTreeMap;

use super::architecture::Architecture;
use super::cut::Cut;
use super::families::baseline;
use super::family::{Build, Init, Member, Whole};
use super::network::Network;
use super::{init, registry};
use crate::base::config::Backbone;
use crate::base::error::{Error, ErrorKind, Result};
use crate::nn::program::{Program, Size};

/// What a model is before its head. Its tensors are named as in the published file.
#[derive(Debug)]
pub(super) enum Body {
    /// Our steps.
    Staged(Network),
    /// From elsewhere; frozen only.
    Whole(&'static Member, Whole),
}

impl Body {
    /// The body that belongs to an architecture, and how its first values are made.
    pub(super) fn of(architecture: &Architecture) -> Result<(Self, Init)> {
        match architecture {
            Architecture::Baseline { image_size, .. } if *image_size < 22 => {
                Err(Error::config("image_size", image_size, "at least 22 pixels for the baseline"))
            }
            Architecture::Baseline { .. } => Ok((Self::Staged(baseline::baseline()), init::keras)),
            Architecture::Transfer { backbone, .. } => {
                let member = registry::member(*backbone);
                let body = match member.build {
                    Build::Steps(build) => Self::Staged(build()),
                    Build::Whole(whole) => Self::Whole(member, whole),
                };
                Ok((body, member.init))
            }
        }
    }

    /// Channels that it ends with: numbers a photo in a backbone's pooled output.
    pub(super) fn features(&self) -> usize {
        match self {
            Self::Staged(network) => network.features,
            Self::Whole(member, _) => member.weights.features,
        }
    }

    /// Its steps, none where it comes from elsewhere.
    pub(super) fn program(&self) -> Program {
        match self {
            Self::Staged(network) => network.program.clone(),
            Self::Whole(..) => Program::default(),
        }
    }

    /// The step behind its last one.
    pub(super) fn end(&self) -> usize {
        match self {
            Self::Staged(network) => network.program.steps.len(),
            Self::Whole(..) => 0,
        }
    }

    /// Its tensors by name and shape.
    pub(super) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        match self {
            Self::Staged(network) => network.tensors(0, network.program.steps.len()),
            Self::Whole(_, whole) => (whole.shapes)(),
        }
    }

    /// Names of what trains after this cut.
    pub(super) fn trainable(&self, cut: Cut) -> Vec<String> {
        match self {
            Self::Staged(network) => network.trainable(network.trainable_from(cut)),
            Self::Whole(..) => Vec::new(),
        }
    }

    /// Names of the tensors that are read before this cut.
    pub(super) fn read_before(&self, cut: Cut) -> Vec<String> {
        match (self, cut) {
            (_, Cut::Images) => Vec::new(),
            (Self::Whole(..), _) => self.shapes().into_keys().collect(),
            (Self::Staged(network), _) => network.tensors(0, network.step_of(cut)).into_keys().collect(),
        }
    }

    /// The program, where there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], with what to do.
    pub(super) fn network(&self) -> Result<&Network> {
        match self {
            Self::Staged(network) => Ok(network),
            Self::Whole(..) => {
                Err(Error::new(ErrorKind::Config, "this backbone serves frozen only: its layers cannot be trained")
                    .mend(format!("set fine_tune.epochs = 0, or use one of {}", trainable_backbones())))
            }
        }
    }

    /// Numbers a photo that training keeps in memory, for images of this side: those at the cut, then of each step behind it.
    pub(super) fn lens(&self, cut: Cut, image_size: usize) -> Vec<usize> {
        let image = Size { h: image_size, w: image_size, c: 3 };
        match self {
            Self::Staged(network) => network.program.kept(image, network.step_of(cut)),
            Self::Whole(..) => vec![image.len(), self.features()],
        }
    }
}

/// The names of those that are made of our steps.
pub(super) fn trainable_backbones() -> String {
    let steps = Backbone::ALL.into_iter().filter(|&one| matches!(registry::member(one).build, Build::Steps(_)));
    steps.map(Backbone::name).collect::<Vec<_>>().join(", ")
}
