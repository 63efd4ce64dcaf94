//! A pretrained network, by name.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::error::Error;

/// A pretrained network. Which there are, and what else they are called, is said where the networks are: in `models/families/`,
/// each with a constant here; so is how a name is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backbone {
    name: &'static str,
    embedded: bool,
}

impl Backbone {
    /// For the constants of the families.
    pub(crate) const fn named(name: &'static str) -> Self {
        Self { name, embedded: false }
    }

    /// The same, with weights in the repository.
    pub(crate) const fn with_embedded_weights(self) -> Self {
        Self { embedded: true, ..self }
    }

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether its weights are in the repository: [`WeightsFrom::Embedded`](super::WeightsFrom::Embedded).
    pub fn has_embedded_weights(self) -> bool {
        self.embedded
    }
}

impl fmt::Display for Backbone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for Backbone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Backbone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|error: Error| D::Error::custom(error.in_a_line()))
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
            ("timm/convnext_femto.d1_in1k", Backbone::ConvnextFemto),
            ("ConvNeXtAtto", Backbone::ConvnextAtto),
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
