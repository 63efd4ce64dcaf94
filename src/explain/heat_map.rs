//! What a CAM method gives: a map of a few fields, and its values between them.

/// How much each field of the last stage's maps spoke for a class: not negative.
///
/// ```
/// use petal::explain::HeatMap;
///
/// let heat = HeatMap { width: 2, height: 1, values: vec![1.0, 3.0], class: 0 };
/// assert_eq!(heat.max(), 3.0);
/// // torch.nn.functional.interpolate(torch.tensor([[[1., 3.]]]), size=4, mode="linear", align_corners=False)
/// assert_eq!([0.125, 0.375, 0.625, 0.875].map(|x| heat.at(x, 0.5)), [1.0, 1.5, 2.5, 3.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Fields a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height × width` values, at least 0. What they are in, the [method](super::Method::unit) says.
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
