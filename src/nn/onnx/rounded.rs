//! What a graph rounds on the way, and how: its weights, and what flows where those are of 8 bits.

use half::f16;

use super::graph::{Attribute, Graph};
use super::schema::DataType;
use super::stored::Stored;
use super::value::{ROUNDED, Value};
use crate::base::error::{Error, ErrorKind, Result};

/// The most steps that a bias may be: half of what 32 bits can count, so that there is room for the sum.
const MOST: f32 = (1 << 30) as f32;

impl Graph {
    /// Adds the weights of a layer that reads `input`, `[outputs, …]`, and its bias, `[outputs]`; gives the names of both as f32.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`] for a weight that is beyond what 16 bits can say.
    pub fn weights(
        &mut self,
        name: &str,
        shape: &[usize],
        weight: &[f32],
        bias: &[f32],
        input: &Value,
    ) -> Result<[String; 2]> {
        let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
        match (&self.stored, input.scale) {
            (Stored::F32, _) => {
                Ok([self.tensor(&weight_name, shape, weight), self.tensor(&bias_name, &shape[..1], bias)])
            }
            (Stored::F16, _) => {
                Ok([self.half(&weight_name, shape, weight)?, self.tensor(&bias_name, &shape[..1], bias)])
            }
            (Stored::Int8(_), scale) => {
                // A bias of whole numbers counts in steps of the products, and must not need too many of them, in a channel without weights, say; where
                // what comes in is not rounded, there are no such steps.
                let least = |bias: &f32| scale.map_or(0.0, |scale| bias.abs() / (scale * MOST));
                let least: Vec<f32> = bias.iter().map(least).collect();
                let (scales, weight) = self.bytes(&weight_name, shape, weight, &least);
                let bias = match scale {
                    Some(scale) => self.whole(&bias_name, &scales, scale, bias),
                    None => self.tensor(&bias_name, &shape[..1], bias),
                };
                Ok([weight, bias])
            }
        }
    }

    /// A value that all who read it read alike: rounded to 8 bits where weights are, and measured where it has a sample.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] for one whose range is not known; [`ErrorKind::Weights`] for a range that is not finite; what reading a tensor can give.
    pub fn settle(&mut self, value: Value) -> Result<Value> {
        if let Some(sample) = &value.sample {
            let sample = sample.flatten_all()?;
            let range = (sample.min(0)?.to_scalar::<f32>()?, sample.max(0)?.to_scalar::<f32>()?);
            self.seen.insert(value.name.clone(), range);
        }
        let Stored::Int8(ranges) = &self.stored else { return Ok(value) };
        let Some(&(low, high)) = ranges.get(&value.name) else {
            return Err(super::bug(format!("{} was not measured", value.name)));
        };
        // 0 is a number of them: it is what convolutions are padded with.
        let (low, high) = (low.min(0.0), high.max(0.0));
        if !(high - low).is_finite() {
            let what = format!("{} lies between {low} and {high}, which 8 bits cannot be spread over", value.name);
            return Err(Error::new(ErrorKind::Weights, what).mend("store the weights as f32"));
        }
        let scale = ((high - low) / 255.0).max(f32::MIN_POSITIVE);
        let zero = (-low / scale).round().clamp(0.0, 255.0) as u8;
        let name = &value.name;
        let scale_name = self.tensor(&format!("{name}.scale"), &[], &[scale]);
        let zero_name = self.raw(&format!("{name}.zero"), DataType::Uint8, &[], vec![zero]);
        let made = (DataType::Uint8, true, value.shape.as_slice());
        let quantized =
            self.fixed("QuantizeLinear", &format!("{name}.u8"), &[name, &scale_name, &zero_name], &[], made);
        let inputs = [quantized.as_str(), &scale_name, &zero_name];
        let (rounded, made) = (format!("{name}{ROUNDED}"), (value.shape, value.sample));
        let back = self.node("DequantizeLinear", &rounded, &inputs, &[], made);
        Ok(Value { scale: Some(scale), ..back })
    }

    fn half(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<String> {
        let halves: Vec<f16> = values.iter().map(|&value| f16::from_f32(value)).collect();
        if let Some(at) = halves.iter().position(|half| !half.is_finite()) {
            let what = format!("{name} holds {}, which 16 bits cannot say: they end at 65504", values[at]);
            return Err(Error::new(ErrorKind::Weights, what).mend("store the weights as f32"));
        }
        let bytes = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        let stored = self.raw(name, DataType::Float16, shape, bytes);
        let to = [("to", Attribute::Int(DataType::Float as i64))];
        Ok(self.fixed("Cast", &format!("{name}.f32"), &[&stored], &to, (DataType::Float, false, shape)))
    }

    /// Rounds to 8 bits with a scale for each output channel, the largest number of which is 127; gives the scales, which are at least as large as `least`
    /// says, and the name as f32.
    fn bytes(&mut self, name: &str, shape: &[usize], values: &[f32], least: &[f32]) -> (Vec<f32>, String) {
        let rows = values.chunks((values.len() / shape[0]).max(1));
        let largest = |row: &[f32]| row.iter().fold(0f32, |most, value| most.max(value.abs()));
        let scale = |(row, least): (&[f32], &f32)| (largest(row) / 127.0).max(*least).max(f32::MIN_POSITIVE);
        let scales: Vec<f32> = rows.clone().zip(least).map(scale).collect();
        let round = |(row, scale): (&[f32], &f32)| -> Vec<u8> {
            row.iter().map(|value| (value / scale).round().clamp(-127.0, 127.0) as i8 as u8).collect()
        };
        let bytes = rows.zip(&scales).flat_map(round).collect();
        let stored = self.raw(name, DataType::Int8, shape, bytes);
        let name = self.scaled(name, &stored, (DataType::Int8, vec![0; scales.len()]), &scales, shape);
        (scales, name)
    }

    /// Rounds a bias to whole numbers of a product's steps; gives its name as f32.
    fn whole(&mut self, name: &str, scales: &[f32], input: f32, values: &[f32]) -> String {
        let scales: Vec<f32> = scales.iter().map(|scale| (scale * input).max(f32::MIN_POSITIVE)).collect();
        let round =
            |(value, scale): (&f32, &f32)| ((f64::from(*value) / f64::from(*scale)).round() as i32).to_le_bytes();
        let bytes = values.iter().zip(&scales).flat_map(round).collect();
        let shape = [values.len()];
        let stored = self.raw(name, DataType::Int32, &shape, bytes);
        self.scaled(name, &stored, (DataType::Int32, vec![0; 4 * scales.len()]), &scales, &shape)
    }

    /// The node that makes f32 of whole numbers with a scale for each output channel.
    fn scaled(
        &mut self,
        name: &str,
        stored: &str,
        (of, zeros): (DataType, Vec<u8>),
        scales: &[f32],
        shape: &[usize],
    ) -> String {
        let scale = self.tensor(&format!("{name}.scale"), &shape[..1], scales);
        let zero = self.raw(&format!("{name}.zero"), of, &shape[..1], zeros);
        let axis = [("axis", Attribute::Int(0))];
        let made = (DataType::Float, false, shape);
        self.fixed("DequantizeLinear", &format!("{name}.f32"), &[stored, &scale, &zero], &axis, made)
    }
}
