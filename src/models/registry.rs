//! The pretrained networks by name, and the weights of each with the preprocessing that they were trained with.

use std::str::FromStr;

use super::families::FAMILIES;
use super::family::Member;
pub use super::family::Weights;
use crate::base::config::Backbone;
use crate::base::error::{Error, Result};

/// The default weights of a backbone: trained on ImageNet-1k, but for DINOv2's, which learned from photos without labels.
///
/// Preprocessing is the one that timm records with each set.
pub fn weights(backbone: Backbone) -> Weights {
    member(backbone).weights
}

/// About how large the published file of its weights is, in bytes: its numbers in f32, batch norm's statistics and ImageNet's classifier among them.
pub fn file_bytes(backbone: Backbone) -> usize {
    let member = member(backbone);
    let network = (member.build)();
    let shapes = network.tensors(0, network.program.steps.len());
    let own: usize = shapes.into_values().map(|shape| shape.iter().product::<usize>()).sum();
    // What comes without a classifier has no share of ImageNet's photos that it tells.
    let classifier = if member.weights.top1.is_some() { 1_000 * (member.weights.features + 1) } else { 0 };
    4 * (own + classifier)
}

/// What its family says of a backbone.
pub(super) fn member(backbone: Backbone) -> &'static Member {
    let found = members().find(|member| member.backbone == backbone);
    found.unwrap_or_else(|| unreachable!("{backbone} is not in its family's list"))
}

fn members() -> impl Iterator<Item = &'static Member> {
    FAMILIES.iter().copied().flatten()
}

const COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].len();
        family += 1;
    }
    count
};

impl Backbone {
    /// All of them, family by family.
    pub const ALL: [Self; COUNT] = {
        let mut all = [FAMILIES[0][0].backbone; COUNT];
        let (mut next, mut family) = (0, 0);
        while family < FAMILIES.len() {
            let mut member = 0;
            while member < FAMILIES[family].len() {
                all[next] = FAMILIES[family][member].backbone;
                (next, member) = (next + 1, member + 1);
            }
            family += 1;
        }
        all
    };
}

impl FromStr for Backbone {
    type Err = Error;

    /// Its name here, or as timm, torchvision or Keras spell it: `efficientnet-lite0`, `tf_efficientnet_lite0.in1k`, `resnet-50`,
    /// `ResNet50`, `vit_base_patch16_224`. The hub's repositories are known, too; one of other weights is another network.
    fn from_str(name: &str) -> Result<Self> {
        let bare = name.rsplit('/').next().unwrap_or_default().to_lowercase();
        let named = |member: &&Member| {
            let repository = member.weights.name.rsplit('/').next().unwrap_or_default();
            let (usual, tag) = repository.split_once('.').unwrap_or((repository, ""));
            let bare = bare.strip_suffix(tag).and_then(|bare| bare.strip_suffix('.')).unwrap_or(&bare);
            let own = [member.backbone.name(), usual];
            own.iter().chain(member.also).any(|own| letters(own) == letters(bare))
        };
        let found = members().find(named).map(|member| member.backbone);
        found.ok_or_else(|| Error::unknown("backbone", name, &Self::ALL.map(Self::name)))
    }
}

/// A name without what spellings differ in.
fn letters(name: &str) -> String {
    name.to_lowercase().replace(['-', '_', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backbone_has_weights_of_its_own() {
        let mut names: Vec<_> = Backbone::ALL.iter().map(|&b| weights(b).name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Backbone::ALL.len());
        assert_eq!(weights(Backbone::Resnet50).features, 2048);
        assert_eq!(weights(Backbone::EfficientnetLite0).preprocess.std, [0.5; 3]);
    }

    #[test]
    fn what_is_said_of_a_network_is_true_of_what_is_built() {
        for member in members() {
            let (name, Weights { features, parameters, .. }) = (member.backbone, member.weights);
            let network = (member.build)();
            assert_eq!((network.parameters(0), network.features), (parameters, features), "{name}");
            assert!(0 < network.upper && network.upper <= network.upper_trainable, "{name}");
            assert!(network.upper_trainable < network.maps, "{name}");
            assert_eq!(member.embedded.is_some(), name.has_embedded_weights(), "{name}");
        }
    }

    #[test]
    fn no_two_backbones_share_a_name() {
        for member in members() {
            let repository = member.weights.name;
            for name in [member.backbone.name(), repository].iter().chain(member.also) {
                assert_eq!(name.parse::<Backbone>().unwrap(), member.backbone, "{name}");
                let known =
                    |other: &&Member| letters(other.backbone.name()) == letters(name) || other.also.contains(name);
                assert!(members().filter(known).count() < 2, "{name}");
            }
        }
    }

    #[test]
    fn the_readme_lists_each_backbone() {
        let readme = include_str!("../../README.md");
        let thousands = |number: usize| {
            let digits = number.to_string();
            let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
            groups.collect::<Vec<_>>().join(",")
        };
        for member in members() {
            let Weights { name, preprocess, features, parameters, licence, top1, .. } = member.weights;
            let megabytes = (file_bytes(member.backbone) as f64 / 1e6).round();
            let top1 = top1.map_or("–".into(), |top1| format!("{top1:.1}"));
            let (features, parameters) = (thousands(features), thousands(parameters));
            let row = format!(
                "| `{}` | {name} | {} | {features} | {parameters} | {megabytes} | {top1} | {licence} |",
                member.backbone, preprocess.size
            );
            assert!(readme.lines().any(|line| line == row), "README.md lacks: {row}");
        }
    }
}
