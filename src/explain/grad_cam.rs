//! Grad-CAM: which places of a photo spoke for a class.

use candle_core::{D, DType, Tensor, Var};

use crate::base::error::{Error, ErrorKind, Result};
use crate::models::Model;

/// How much each field of the last stage's maps spoke for a class: not negative, in units of the class's logit.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Fields a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height × width` values, at least 0.
    pub values: Vec<f32>,
    /// The class that was explained.
    pub class: usize,
}

impl HeatMap {
    /// The largest value.
    pub fn max(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }

    /// The value at a place from 0 to 1 across and down, between fields by bilinear interpolation with their centres at half
    /// fields (PyTorch's `align_corners=False`).
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let axis = |place: f32, size: usize| {
            let position = (place * size as f32 - 0.5).clamp(0.0, size as f32 - 1.0);
            let low = position.floor();
            (low as usize, (low as usize + 1).min(size - 1), position - low)
        };
        let (x0, x1, fx) = axis(x, self.width);
        let (y0, y1, fy) = axis(y, self.height);
        let value = |x: usize, y: usize| self.values[y * self.width + x];
        let top = value(x0, y0) * (1.0 - fx) + value(x1, y0) * fx;
        let bottom = value(x0, y1) * (1.0 - fx) + value(x1, y1) * fx;
        top * (1.0 - fy) + bottom * fy
    }
}

/// Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) on the last stage's maps, of the logit, for images `[B, 3, H, W]`:
/// `ReLU(Σ_c w_c A_c)`, where `w_c` is the mean over all fields of the logit's gradient by channel `c`.
///
/// `classes` holds the class to explain for each image; `None` for the predicted one.
///
/// # Errors
/// [`ErrorKind::Config`] if the backbone has no maps or a class is unknown.
pub fn grad_cam(model: &Model, images: &Tensor, classes: &[Option<usize>]) -> Result<Vec<HeatMap>> {
    let count = images.dim(0)?;
    if classes.len() != count {
        let what = format!("there are {count} images, and classes for {}", classes.len());
        return Err(Error::new(ErrorKind::Tensor, what));
    }
    let maps = Var::from_tensor(&model.maps(images)?.contiguous()?)?;
    let logits = model.logits_from_maps(maps.as_tensor())?;
    let known = logits.dim(1)?;
    let predicted = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let mut chosen = Vec::with_capacity(count);
    for (class, predicted) in classes.iter().zip(predicted) {
        let class = class.map_or(predicted, |class| class as u32);
        if class as usize >= known {
            return Err(Error::config("class", class, &format!("an index below {known}")));
        }
        chosen.push(class);
    }
    // Images do not touch each other, so the gradient of the sum is the gradient of each.
    let index = Tensor::from_vec(chosen.clone(), (count, 1), images.device())?;
    let gradients = logits.gather(&index, 1)?.sum_all()?.backward()?;
    let gradient = gradients.get(&maps).ok_or_else(|| Error::new(ErrorKind::Tensor, "the maps got no gradient"))?;
    let weights = gradient.mean_keepdim((2, 3))?;
    let heat = maps.as_tensor().detach().broadcast_mul(&weights)?.sum(1)?.relu()?;
    let (_, height, width) = heat.dims3()?;
    let rows = heat.flatten_from(1)?.to_dtype(DType::F32)?.to_vec2::<f32>()?;
    let heat =
        rows.into_iter().zip(chosen).map(|(values, class)| HeatMap { width, height, values, class: class as usize });
    Ok(heat.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_value_at_their_centre_and_are_held_at_the_border() {
        let heat = HeatMap { width: 2, height: 1, values: vec![1.0, 3.0], class: 0 };
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|x| heat.at(x, 0.3)), [1.0, 1.0, 2.0, 3.0, 3.0]);
        assert_eq!(heat.max(), 3.0);
    }
}
