//! The families of networks, a file each: entry points, weights, build, first values and the cut for phase 2.

use super::family::Member;

pub(super) mod baseline;

/// Declares the files, and lists what is in them.
macro_rules! families {
    ($($family:ident,)*) => {
        $(mod $family;)*
        /// The members of each family.
        pub(super) const FAMILIES: &[&[Member]] = &[$($family::MEMBERS,)*];
    };
}

// A new family is its file and a line here.
families! {
    resnet,
    efficientnet_lite,
    efficientnet,
    vit,
    convnext,
    mobilenet_v3,
    mobilenet_v4,
}
