//! The frame of every CAM method: the last stage's maps, the logits from them, and what the method makes of both, photo by photo.

use candle_core::{D, DType, Tensor};

use super::heat_map::HeatMap;
use super::methods::{GradCam, Method};
use super::seen::Seen;
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
    let maps = model.maps(images)?;
    let chosen = chosen(&model.logits_from_maps(&maps)?, classes)?;
    let mut found = Vec::with_capacity(count);
    for (photo, class) in chosen.into_iter().enumerate() {
        let own = maps.of(photo)?;
        let score =
            |fields: &Tensor| Ok(model.logits_from_maps(&own.with(fields)?)?.narrow(1, class, 1)?.squeeze(1)?);
        let attending = || model.attended(&images.narrow(0, photo, 1)?, class);
        let heat = heat(method, &Seen::new(&own.fields().get(0)?, &score)?.attending(&attending))?;
        let (height, width) = heat.dims2()?;
        let values = heat.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        found.push(HeatMap { width, height, values, class });
    }
    Ok(found)
}

/// [`cam`] by Grad-CAM.
///
/// # Errors
/// As [`cam`].
pub fn grad_cam(model: &Model, images: &Tensor, classes: &[Option<usize>]) -> Result<Vec<HeatMap>> {
    cam(&GradCam, model, images, classes)
}

/// What the method makes of a photo's maps, `[h, w]`: what is below 0, speaks against the class, is 0.
///
/// # Errors
/// What the method gives.
pub fn heat(method: &dyn Method, seen: &Seen) -> Result<Tensor> {
    Ok(method.heat(seen)?.relu()?)
}

/// The class to explain for each image: the one that was asked for, or the predicted one.
fn chosen(logits: &Tensor, classes: &[Option<usize>]) -> Result<Vec<usize>> {
    let known = logits.dim(1)?;
    let predicted = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let class = |(class, predicted): (&Option<usize>, u32)| {
        let class = class.unwrap_or(predicted as usize);
        match class < known {
            true => Ok(class),
            false => Err(Error::config("class", class, &format!("an index below {known}"))),
        }
    };
    classes.iter().zip(predicted).map(class).collect()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::super::methods::{ALL, HiResCam};
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
        let maps = model.maps(&picture).unwrap();
        let score = |fields: &Tensor| Ok(model.logits_from_maps(&maps.with(fields)?)?.narrow(1, 1, 1)?.squeeze(1)?);
        let seen = Seen::new(&maps.fields().get(0).unwrap(), &score).unwrap();
        let sum = HiResCam.heat(&seen).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        let logit = model.logits(&picture).unwrap().to_vec2::<f32>().unwrap()[0][1];
        assert!((sum - logit).abs() < 1e-4 * logit.abs() && logit != 0.0, "{sum} {logit}");
    }

    #[test]
    fn methods_see_the_same_class_and_fields_and_differ_in_what_they_make_of_them() {
        let (model, picture) = baseline();
        let by = |method: &&dyn Method| cam(*method, &model, &picture, &[Some(2)]);
        // It has no attention.
        let (heat, refused): (Vec<_>, Vec<_>) = ALL.iter().map(by).partition(|heat| heat.is_ok());
        let [Err(refused)] = &refused[..] else { panic!("{refused:?}") };
        assert!(refused.kind() == ErrorKind::Config && refused.what().contains("no attention"), "{refused}");
        let heat: Vec<HeatMap> = heat.into_iter().map(|heat| heat.unwrap().remove(0)).collect();
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
