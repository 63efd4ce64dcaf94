//! The frame of every CAM method: the last stage's maps, the logits from them, the gradients, and the weighed sum.

use candle_core::{D, DType, Tensor, Var};

use super::heat_map::HeatMap;
use super::methods::{GradCam, Method};
use crate::base::error::{Error, ErrorKind, Result};
use crate::models::Model;

/// Heat maps for images `[B, 3, H, W]` by this method, on the last stage's maps, of the logit.
///
/// `classes` holds the class to explain for each image; `None` for the predicted one.
///
/// ```
/// use petal::candle::{DType, Device, Tensor};
/// use petal::explain::{HiResCam, cam};
/// use petal::models::{Architecture, Model};
///
/// let architecture = Architecture::Baseline { classes: 2, image_size: 38 };
/// let model = Model::new(&architecture, petal::Seed(1), &Device::Cpu)?;
/// let images = Tensor::ones((1, 3, 38, 38), DType::F32, &Device::Cpu)?;
/// let heat = cam(&HiResCam, &model, &images, &[Some(1)])?;
/// assert_eq!((heat[0].width, heat[0].height, heat[0].class), (6, 6, 1));
/// # Ok::<(), petal::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Config`] if the backbone has no maps or a class is unknown.
pub fn cam(method: &dyn Method, model: &Model, images: &Tensor, classes: &[Option<usize>]) -> Result<Vec<HeatMap>> {
    let count = images.dim(0)?;
    if classes.len() != count {
        let what = format!("there are {count} images, and classes for {}", classes.len());
        return Err(Error::new(ErrorKind::Tensor, what));
    }
    let maps = Var::from_tensor(&model.maps(images)?.contiguous()?)?;
    let logits = model.logits_from_maps(maps.as_tensor())?;
    let chosen = chosen(&logits, classes)?;
    // Images do not touch each other, so the gradient of the sum is the gradient of each.
    let index = Tensor::from_vec(chosen.clone(), (count, 1), images.device())?;
    let gradients = logits.gather(&index, 1)?.sum_all()?.backward()?;
    let gradient = gradients.get(&maps).ok_or_else(|| Error::new(ErrorKind::Tensor, "the maps got no gradient"))?;
    let heat = weigh(method, &maps.as_tensor().detach(), gradient)?;
    let (_, height, width) = heat.dims3()?;
    let rows = heat.flatten_from(1)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    let heat =
        rows.into_iter().zip(chosen).map(|(values, class)| HeatMap { width, height, values, class: class as usize });
    Ok(heat.collect())
}

/// [`cam`] by Grad-CAM.
///
/// # Errors
/// As [`cam`].
pub fn grad_cam(model: &Model, images: &Tensor, classes: &[Option<usize>]) -> Result<Vec<HeatMap>> {
    cam(&GradCam, model, images, classes)
}

/// `ReLU(Σ_c w_c A_c)`, `[B, h, w]`, of maps `A` and their gradients, both `[B, C, h, w]`, with the method's weights `w`.
///
/// # Errors
/// What the method gives.
pub fn weigh(method: &dyn Method, maps: &Tensor, gradients: &Tensor) -> Result<Tensor> {
    Ok(maps.broadcast_mul(&method.weights(maps, gradients)?)?.sum(1)?.relu()?)
}

/// The class to explain for each image: the one that was asked for, or the predicted one.
fn chosen(logits: &Tensor, classes: &[Option<usize>]) -> Result<Vec<u32>> {
    let known = logits.dim(1)?;
    let predicted = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let class = |(class, predicted): (&Option<usize>, u32)| {
        let class = class.map_or(predicted, |class| class as u32);
        match (class as usize) < known {
            true => Ok(class),
            false => Err(Error::config("class", class, &format!("an index below {known}"))),
        }
    };
    classes.iter().zip(predicted).map(class).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::super::methods::{GradCamPlusPlus, HiResCam, LayerCam};
    use super::*;
    use crate::base::seed::{Purpose, Seed};
    use crate::models::Architecture;

    /// A network whose head sees each field by itself, and a picture.
    fn baseline() -> (Model, Tensor) {
        let architecture = Architecture::Baseline { classes: 3, image_size: 38 };
        let model = Model::new(&architecture, Seed(1), &Device::Cpu).unwrap();
        let mut stream = Seed(2).stream(Purpose::Init, 0, 0);
        let picture: Vec<f32> = (0..3 * 38 * 38).map(|_| stream.range(-1.0, 1.0) as f32).collect();
        (model, Tensor::from_vec(picture, (1, 3, 38, 38), &Device::Cpu).unwrap())
    }

    /// The sum over the fields of `gradient × map` is what a network without biases says of the class, since it is then homogeneous in the
    /// maps (Draelos & Carin 2020). A new network's biases are 0.
    #[test]
    fn hi_res_cam_before_its_relu_sums_to_the_logit() {
        let (model, picture) = baseline();
        let maps = Var::from_tensor(&model.maps(&picture).unwrap().contiguous().unwrap()).unwrap();
        let logits = model.logits_from_maps(maps.as_tensor()).unwrap();
        let logit = logits.get(0).unwrap().get(1).unwrap();
        let gradients = logit.backward().unwrap();
        let gradient = gradients.get(&maps).unwrap();
        let weighed = (maps.as_tensor() * HiResCam.weights(&maps, gradient).unwrap()).unwrap();
        let [sum, logit] = [weighed.sum_all().unwrap(), logit].map(|t| t.to_scalar::<f32>().unwrap());
        assert!((sum - logit).abs() < 1e-4 * logit.abs() && logit != 0.0, "{sum} {logit}");
    }

    #[test]
    fn methods_see_the_same_class_and_fields_and_differ_in_what_they_make_of_them() {
        let (model, picture) = baseline();
        let methods: [&dyn Method; 4] = [&GradCam, &GradCamPlusPlus, &HiResCam, &LayerCam];
        let heat = methods.map(|method| cam(method, &model, &picture, &[Some(2)]).unwrap().remove(0));
        for (i, map) in heat.iter().enumerate() {
            assert_eq!((map.width, map.height, map.class), (6, 6, 2));
            assert!(map.values.iter().all(|value| *value >= 0.0) && map.max() > 0.0, "{map:?}");
            assert!(heat[..i].iter().all(|other| other.values != map.values));
        }
        assert_eq!(heat[0], grad_cam(&model, &picture, &[Some(2)]).unwrap()[0]);
    }

    #[test]
    fn a_class_that_is_not_there_is_refused() {
        let (model, picture) = baseline();
        let error = grad_cam(&model, &picture, &[Some(3)]).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.what().contains("below 3"), "{error}");
        assert_eq!(grad_cam(&model, &picture, &[]).unwrap_err().kind(), ErrorKind::Tensor);
    }
}
