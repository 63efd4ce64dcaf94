//! A network's tensors by name, in a fixed order.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use crate::base::error::{Error, ErrorKind, Result};

/// One tensor of a network.
#[derive(Clone, Debug)]
pub struct Param {
    /// The value; clones share it.
    pub var: Var,
    /// True for what no optimizer changes: batch norm's running mean and variance.
    pub buffer: bool,
}

/// A network's tensors by name, in the order of the names. Clones share the values.
#[derive(Clone, Debug, Default)]
pub struct Params {
    entries: BTreeMap<String, Param>,
}

impl Params {
    /// Adds a tensor.
    pub fn insert(
        &mut self,
        name: impl Into<String>,
        values: Vec<f32>,
        shape: &[usize],
        device: &Device,
    ) -> Result<()> {
        let name = name.into();
        let buffer = name.ends_with(".running_mean") || name.ends_with(".running_var");
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, device)?)?;
        self.entries.insert(name, Param { var, buffer });
        Ok(())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Param)> {
        self.entries.iter().map(|(name, param)| (name.as_str(), param))
    }

    /// The tensor of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] if there is none.
    pub fn get(&self, name: &str) -> Result<&Param> {
        self.entries
            .get(name)
            .ok_or_else(|| Error::new(ErrorKind::Weights, format!("the network has no tensor named {name}")))
    }

    /// The names under a prefix with their shapes; the prefix taken off.
    pub fn shapes(&self, prefix: &str) -> BTreeMap<String, Vec<usize>> {
        let under = self.entries.iter().filter_map(|(name, param)| Some((name.strip_prefix(prefix)?, param)));
        under.map(|(name, param)| (name.to_string(), param.var.dims().to_vec())).collect()
    }

    /// Sets some of the values. All are checked first (known names, shapes, finite), so a failure changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`], naming the first tensor that does not fit.
    pub fn set_all(&self, values: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, value) in values {
            let param = self.get(name)?;
            if param.var.dims() != value.dims() {
                let what = format!("tensor {name} is {:?}; expected {:?}", value.dims(), param.var.dims());
                return Err(Error::new(ErrorKind::Weights, what));
            }
            if !is_finite(value)? {
                return Err(Error::new(ErrorKind::Weights, format!("tensor {name} holds values that are not finite")));
            }
        }
        for (name, value) in values {
            let param = self.get(name)?;
            param.var.set(&value.to_device(param.var.device())?.to_dtype(param.var.dtype())?)?;
        }
        Ok(())
    }
}

/// Whether all numbers of a tensor are finite.
pub fn is_finite(value: &Tensor) -> Result<bool> {
    let values = value.to_device(&Device::Cpu)?.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.iter().all(|v| v.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_set_where_anything_does_not_fit() {
        let mut params = Params::default();
        for name in ["a", "b"] {
            params.insert(name, vec![1.0, 2.0], &[2], &Device::Cpu).unwrap();
        }
        let good = Tensor::new(&[7f32, 8.], &Device::Cpu).unwrap();
        for (bad_name, bad) in [
            ("b", Tensor::new(&[1f32], &Device::Cpu).unwrap()),
            ("b", Tensor::new(&[1f32, f32::NAN], &Device::Cpu).unwrap()),
            ("c", good.clone()),
        ] {
            let values = BTreeMap::from([("a".to_string(), good.clone()), (bad_name.to_string(), bad)]);
            assert_eq!(params.set_all(&values).unwrap_err().kind(), ErrorKind::Weights);
            assert_eq!(params.get("a").unwrap().var.to_vec1::<f32>().unwrap(), [1.0, 2.0]);
        }
    }
}
