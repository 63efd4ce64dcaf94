//! A linear classifier in the place of a head.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::model::Model;
use crate::base::error::{Error, ErrorKind, Result};

impl Model {
    /// Makes the head a linear classifier of the features: the logit of class `k` is `weights[k] · x + bias[k]`, with `weights` `[K, D]` and `bias` `[K]`.
    ///
    /// The head stays what it is, two dense layers with a ReLU between: of its hidden units, two a class carry the logit and its negative, and the
    /// second layer takes their difference. The other units keep what they have and count nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where the hidden layer has fewer than two units a class; [`ErrorKind::Weights`] where sizes do not fit or a number is not
    /// finite. Nothing is changed then.
    pub fn set_linear_head(&self, weights: &[f64], bias: &[f64]) -> Result<()> {
        let (classes, width) = (bias.len(), self.features());
        let [first, second] = self.architecture().head_names();
        let get = |name: String| -> Result<(String, Tensor)> {
            let tensor = self.params().get(&name)?.var.as_tensor().to_device(&Device::Cpu)?;
            Ok((name, tensor))
        };
        let (first_weight, second_weight) = (get(format!("{first}.weight"))?, get(format!("{second}.weight"))?);
        let (first_bias, second_bias) = (get(format!("{first}.bias"))?, get(format!("{second}.bias"))?);
        let (hidden, inputs) = first_weight.1.dims2()?;
        if weights.len() != classes * width || inputs != width || second_weight.1.dim(0)? != classes {
            let what =
                format!("a classifier of {classes} classes and {} numbers does not fit this head", weights.len());
            return Err(Error::new(ErrorKind::Weights, what));
        }
        if hidden < 2 * classes {
            return Err(Error::config("classifier.hidden", hidden, &format!("at least {}, two a class", 2 * classes))
                .mend(format!("set classifier.hidden to {} (--set classifier.hidden={0})", 2 * classes)));
        }
        let mut one = first_weight.1.flatten_all()?.to_vec1::<f32>()?;
        let mut one_bias = first_bias.1.to_vec1::<f32>()?;
        let mut two = vec![0f32; classes * hidden];
        for class in 0..classes {
            for (sign, unit) in [(1.0, class), (-1.0, classes + class)] {
                let own = &weights[class * width..][..width];
                one[unit * width..][..width].iter_mut().zip(own).for_each(|(to, from)| *to = (sign * from) as f32);
                one_bias[unit] = (sign * bias[class]) as f32;
                two[class * hidden + unit] = sign as f32;
            }
        }
        let tensor = |values: Vec<f32>, like: &Tensor| Tensor::from_vec(values, like.dims(), &Device::Cpu);
        let values = BTreeMap::from([
            (first_weight.0, tensor(one, &first_weight.1)?),
            (first_bias.0, tensor(one_bias, &first_bias.1)?),
            (second_weight.0, tensor(two, &second_weight.1)?),
            (second_bias.0, second_bias.1.zeros_like()?),
        ]);
        self.params().set_all(&values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Backbone;
    use crate::base::error::ErrorKind;
    use crate::base::seed::{Purpose, Seed};
    use crate::models::{Architecture, Cut};

    #[test]
    fn the_head_gives_the_logits_of_the_classifier_and_has_room_for_it_or_says_so() {
        let backbone = Backbone::EfficientnetLite0;
        let model = |hidden, classes| {
            let architecture = Architecture::Transfer { backbone, hidden, dropout: 0.3, classes };
            Model::new(&architecture, Seed(1), &Device::Cpu).unwrap()
        };
        let mut stream = Seed(2).stream(Purpose::Init, 0, 0);
        let mut draw = |count: usize| (0..count).map(|_| stream.normal()).collect::<Vec<f64>>();
        let (weights, bias, x) = (draw(3 * 1280), draw(3), draw(1280));
        let three = model(7, 3);
        three.set_linear_head(&weights, &bias).unwrap();
        let row: Vec<f32> = x.iter().map(|x| *x as f32).collect();
        let row = Tensor::from_vec(row, (1, 1280), &Device::Cpu).unwrap();
        let got = three.infer(&row, Cut::Features).unwrap().get(0).unwrap().to_vec1::<f32>().unwrap();
        for (class, got) in got.iter().enumerate() {
            let expected: f64 =
                weights[class * 1280..][..1280].iter().zip(&x).map(|(w, x)| w * x).sum::<f64>() + bias[class];
            assert!((f64::from(*got) - expected).abs() < 1e-4, "{got} {expected}");
        }
        let error = model(5, 3).set_linear_head(&weights, &bias).unwrap_err();
        assert!(
            error.kind() == ErrorKind::Config && error.how_to_mend().unwrap().contains("classifier.hidden=6"),
            "{error}"
        );
        assert!(model(9, 4).set_linear_head(&weights, &bias).is_err());
    }
}
