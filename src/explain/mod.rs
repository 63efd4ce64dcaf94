//! Where a network looked: class activation maps, by one of several [`methods`].

pub mod cam;
pub mod heat_map;
pub mod methods;
pub mod overlay;

pub use cam::{cam, grad_cam};
pub use heat_map::HeatMap;
pub use methods::{GradCam, GradCamPlusPlus, HiResCam, LayerCam, Method};
pub use overlay::overlay;
