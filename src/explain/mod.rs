//! Where a network looked: class activation maps, by one of several [`methods`]; and whether they can be trusted ([`mod@check`]).

pub mod cam;
pub mod check;
pub mod heat_map;
pub mod methods;
pub mod overlay;
pub mod removal;
pub mod seen;
pub mod similarity;
mod spread;

pub use cam::{cam, grad_cam};
pub use check::{CamCheck, Verdict};
pub use heat_map::HeatMap;
pub use methods::{AblationCam, AttentionRelevance, EigenCam, GradCam, GradCamPlusPlus, HiResCam, LayerCam, Method};
pub use overlay::overlay;
pub use seen::Seen;
