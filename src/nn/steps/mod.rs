//! What networks are made of: one file a step, with all that is to know about it.

pub mod activation;
pub mod attention;
pub mod average_pool;
pub mod class_token;
pub mod conv;
pub mod dropout;
pub mod layer_norm;
pub mod layer_scale;
pub mod linear;
pub mod max_pool;
pub mod mlp;
mod norm;
mod packed;
pub mod pair;
mod sampled;
pub mod scaled;
pub mod squeeze_excite;
pub mod step;
pub mod tokens;

pub use activation::Activation;
pub use attention::Attention;
pub use average_pool::AveragePool;
pub use class_token::ClassToken;
pub use conv::{Conv, Pad};
pub use dropout::Dropout;
pub use layer_norm::LayerNorm;
pub use layer_scale::LayerScale;
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use mlp::Mlp;
pub use norm::Norm;
pub use pair::Pair;
pub use scaled::Scaled;
pub use squeeze_excite::SqueezeExcite;
pub use step::{
    Bound, Description, Draws, Grain, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sum, Sums, Wanted,
};
pub use tokens::Tokens;

/// Makes one step of two neighbours (the first may be one that was made so), for pictures of this size before the first; nothing where they are better two.
pub(super) type Fusion = fn(&dyn Step, &dyn Step, Size) -> Option<std::sync::Arc<dyn Step>>;

/// All that are tried, in this order.
pub(super) const FUSIONS: [Fusion; 3] = [pair::fuse, scaled::fuse, mlp::fuse];
