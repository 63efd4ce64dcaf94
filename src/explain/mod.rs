//! Where a network looked: class activation maps, by one of several [`methods`].

pub mod cam;
pub mod heat_map;
pub mod methods;
pub mod overlay;
pub mod seen;

pub use cam::{cam, grad_cam};
pub use heat_map::HeatMap;
pub use methods::{AblationCam, EigenCam, GradCam, GradCamPlusPlus, HiResCam, LayerCam, Method};
pub use overlay::overlay;
pub use seen::Seen;
