//! The pretrained networks, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};

/// The pretrained networks. The names on the command line are those in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Backbone {
    /// ResNet-18 (`resnet18`).
    Resnet18,
    /// ResNet-34 (`resnet34`).
    Resnet34,
    /// ResNet-50 (`resnet50`), the default.
    Resnet50,
    /// ResNet-101 (`resnet101`).
    Resnet101,
    /// ResNet-152 (`resnet152`).
    Resnet152,
    /// EfficientNet-Lite0 (`efficientnet-lite0`), whose weights are in the repository.
    EfficientnetLite0,
    /// ViT-Base/16 (`vit-base16`), as a frozen backbone.
    VitBase16,
    /// ConvNeXt-Tiny (`convnext-tiny`), as a frozen backbone.
    ConvnextTiny,
}

impl Backbone {
    /// All of them, in the order of the list above.
    pub const ALL: [Self; 8] = [
        Self::Resnet18,
        Self::Resnet34,
        Self::Resnet50,
        Self::Resnet101,
        Self::Resnet152,
        Self::EfficientnetLite0,
        Self::VitBase16,
        Self::ConvnextTiny,
    ];

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resnet18 => "resnet18",
            Self::Resnet34 => "resnet34",
            Self::Resnet50 => "resnet50",
            Self::Resnet101 => "resnet101",
            Self::Resnet152 => "resnet152",
            Self::EfficientnetLite0 => "efficientnet-lite0",
            Self::VitBase16 => "vit-base16",
            Self::ConvnextTiny => "convnext-tiny",
        }
    }
}

impl fmt::Display for Backbone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backbone {
    type Err = Error;

    /// Its name here, or as timm, torchvision or Keras spell it: `efficientnet-lite0`, `tf_efficientnet_lite0.in1k`, `resnet-50`,
    /// `ResNet50`, `vit_base_patch16_224`.
    fn from_str(name: &str) -> Result<Self> {
        // The other names of those whose weights are the ones that petal takes; the hub's repositories are named so, too.
        const ALSO: [(&str, Backbone); 3] = [
            ("vitbasepatch16224", Backbone::VitBase16),
            ("vitb16", Backbone::VitBase16),
            ("tfefficientnetlite0", Backbone::EfficientnetLite0),
        ];
        const TAGS: [&str; 4] = [".tv_in1k", ".fb_in1k", ".in1k", ""];
        let letters = |name: &str| name.to_lowercase().replace(['-', '_', ' '], "");
        let lower = name.to_lowercase();
        let bare = lower.rsplit('/').next().unwrap_or_default();
        let bare = TAGS.iter().find_map(|tag| bare.strip_suffix(tag)).unwrap_or(bare);
        let own = Self::ALL.into_iter().find(|backbone| letters(backbone.name()) == letters(bare));
        let also = || ALSO.iter().find(|(other, _)| *other == letters(bare)).map(|(_, backbone)| *backbone);
        own.or_else(also).ok_or_else(|| Error::unknown("backbone", name, &Self::ALL.map(Self::name)))
    }
}

impl TryFrom<String> for Backbone {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        name.parse().map_err(|error: Error| error.in_a_line())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::{Config, WeightsFrom};

    #[test]
    fn backbones_have_one_name_everywhere() {
        for backbone in Backbone::ALL {
            assert_eq!(backbone.name().parse::<Backbone>().unwrap(), backbone);
            let toml = Config { backbone, weights: WeightsFrom::Hub, ..Config::seed() }.to_toml();
            assert!(toml.contains(&format!("backbone = {:?}", backbone.name())), "{toml}");
        }
    }

    #[test]
    fn backbones_are_known_by_the_names_that_others_give_them() {
        for (name, backbone) in [
            ("efficientnet_lite0", Backbone::EfficientnetLite0),
            ("EfficientNet-Lite0", Backbone::EfficientnetLite0),
            ("tf_efficientnet_lite0.in1k", Backbone::EfficientnetLite0),
            ("timm/tf_efficientnet_lite0.in1k", Backbone::EfficientnetLite0),
            ("resnet-50", Backbone::Resnet50),
            ("resnet_50", Backbone::Resnet50),
            ("ResNet50", Backbone::Resnet50),
            ("resnet50.tv_in1k", Backbone::Resnet50),
            ("timm/resnet18.tv_in1k", Backbone::Resnet18),
            ("vit_base_patch16_224", Backbone::VitBase16),
            ("vit_b_16", Backbone::VitBase16),
            ("google/vit-base-patch16-224", Backbone::VitBase16),
            ("convnext_tiny.fb_in1k", Backbone::ConvnextTiny),
        ] {
            assert_eq!(name.parse::<Backbone>().unwrap(), backbone, "{name}");
            assert_eq!(Config::from_toml(&format!("backbone = {name:?}")).unwrap().backbone, backbone);
        }
        // Other weights are another network.
        for name in ["resnet50.a1_in1k", "resnet51", "efficientnet", "", "resnet"] {
            let error = name.parse::<Backbone>().unwrap_err();
            assert!(error.what().contains("one of resnet18, "), "{error}");
        }
        assert_eq!("resnet5".parse::<Backbone>().unwrap_err().how_to_mend(), Some("did you mean resnet50?"));
        let error = Config::from_toml("seed = 1\nbackbone = \"efficientnet-lite\"").unwrap_err();
        assert!(error.what().contains("line 2") && error.what().contains("efficientnet-lite0"), "{error}");
    }
}
