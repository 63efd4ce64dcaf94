//! The CAM methods. One is a file here, and its name in this one.

mod ablation_cam;
mod attention_relevance;
mod eigen_cam;
mod grad_cam;
mod grad_cam_plus_plus;
mod hi_res_cam;
mod layer_cam;
mod method;

pub use ablation_cam::AblationCam;
pub use attention_relevance::AttentionRelevance;
pub use eigen_cam::EigenCam;
pub use grad_cam::GradCam;
pub use grad_cam_plus_plus::GradCamPlusPlus;
pub use hi_res_cam::HiResCam;
pub use layer_cam::LayerCam;
pub use method::Method;

use crate::base::error::{Error, Result};

/// All methods, the usual one first.
pub const ALL: [&dyn Method; 7] =
    [&GradCam, &GradCamPlusPlus, &HiResCam, &LayerCam, &EigenCam, &AblationCam, &AttentionRelevance];

/// The method of this name. Capitals, spaces, `-` and `_` don't count.
///
/// ```
/// use petal::explain::methods;
///
/// assert_eq!(methods::named("Grad-CAM++")?.title(), "Grad-CAM++");
/// assert_eq!(methods::named("hirescam")?.title(), "HiResCAM");
/// # Ok::<(), petal::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for another name.
pub fn named(name: &str) -> Result<&'static dyn Method> {
    let plain: String = name.chars().filter(|c| !" -_".contains(*c)).flat_map(char::to_lowercase).collect();
    let found = ALL.into_iter().find(|method| method.name() == plain);
    found.ok_or_else(|| Error::unknown("method", name, &ALL.map(Method::name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_found_by_its_name_and_by_its_title() {
        for method in ALL {
            for name in [method.name(), method.title()] {
                assert_eq!(named(name).unwrap().name(), method.name());
            }
        }
        let error = named("cam").unwrap_err().to_string();
        assert!(
            error.contains("gradcam, gradcam++, hirescam, layercam, eigencam, ablationcam, attentionrelevance"),
            "{error}"
        );
    }
}
