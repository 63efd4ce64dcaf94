//! Where a network looked.

pub mod grad_cam;
pub mod overlay;

pub use grad_cam::{HeatMap, grad_cam};
pub use overlay::overlay;
