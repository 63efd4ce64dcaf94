//! A program as an ONNX graph: each step writes itself.

use candle_core::Device;

use super::build::Program;
use crate::base::error::Result;
use crate::nn::Params;
use crate::nn::onnx::{Graph, Value};
use crate::nn::steps::{Bound, Site};

impl Program {
    /// Adds the program's steps, as they are without random numbers, to a graph, with the weights as they are now; gives the output of the last one.
    ///
    /// # Errors
    /// What [`Step::onnx`](crate::nn::steps::Step::onnx) gives; [`ErrorKind::Weights`](crate::ErrorKind::Weights) where a tensor is not there.
    pub fn onnx(&self, graph: &mut Graph, params: &Params, input: Value) -> Result<Value> {
        let mut values = vec![input];
        for node in self.steps.iter() {
            if !node.step.is_there(false) {
                values.push(values[node.input].clone());
                continue;
            }
            let here = |(tensor, _): (candle_core::Tensor, bool)| -> Result<_> {
                Ok(Bound { tensor: tensor.detach().to_device(&Device::Cpu)?.contiguous()?, trains: false })
            };
            let tensors = node.tensors(params)?.into_iter().map(here).collect::<Result<Vec<_>>>()?;
            let residual = node.residual.map(|register| &values[register]);
            let site = Site { prefix: &node.prefix, input: &values[node.input], residual, tensors: &tensors };
            let value = node.step.onnx(graph, &site)?;
            // What is no map any more is little, and decides: it stays as it is.
            let is_map = value.shape.len() > 1;
            values.push(if is_map { graph.settle(value)? } else { value });
        }
        Ok(values.swap_remove(self.steps.len()))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use rten::{Value as Given, ValueOrView};

    use super::*;
    use crate::kernels::Activation;
    use crate::nn::onnx::{IR_VERSION, OPSET, Pixels, Stored, schema};
    use crate::nn::program::{Conv, Pad, Runner, Size};
    use crate::nn::steps::{Attention, ClassToken, LayerNorm, LayerScale, Pair, SqueezeExcite, Tokens};

    /// Runs a program as petal does and as rten does, on the same two pictures `[2, h, w, C]`; gives the largest difference, as a part of the largest
    /// number.
    fn distance(program: &Program, params: &Params, input: Size) -> f32 {
        let pictures: Vec<f32> = (0..2 * input.len()).map(|i| (i * 37 % 101) as f32 / 25.0 - 2.0).collect();
        let runner = Runner::new(program, params, input).unwrap();
        let Size { h, w, c } = runner.output();
        let expected = runner.run(&pictures);

        let mut graph = Graph::new(Stored::F32);
        let images = graph.input("images", vec![input.c, input.h, input.w], Pixels::F32);
        let value = program.onnx(&mut graph, params, images).unwrap();
        assert_eq!(value.size(), runner.output());
        graph.output(value, "result", "").unwrap();
        let opset_import = vec![schema::Opset { domain: String::new(), version: OPSET }];
        let file =
            schema::Model { ir_version: IR_VERSION, graph: Some(graph.finish()), opset_import, ..Default::default() };
        let model = rten::Model::load(file.encode_to_vec()).unwrap();
        let data = planar(&pictures, input);
        let images = Given::from_shape([2, input.c, input.h, input.w], data).unwrap();
        let (from, to) = (model.node_id("images").unwrap(), model.node_id("result").unwrap());
        let [result] = model.run_n(vec![(from, ValueOrView::from(images))], [to], None).unwrap();
        let got: Vec<f32> = match result {
            Given::FloatTensor(tensor) => tensor.into_data(),
            other => panic!("{other:?}"),
        };
        let expected = planar(&expected, Size { h, w, c });
        assert_eq!(got.len(), expected.len());
        let largest = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
        got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / largest
    }

    /// `[N, h, w, C]` as `[N, C, h, w]`.
    fn planar(pictures: &[f32], Size { h, w, c }: Size) -> Vec<f32> {
        let of = |picture: &[f32]| -> Vec<f32> {
            (0..c)
                .flat_map(|c_| (0..h * w).map(move |place| (c_, place)))
                .map(|(c_, place)| picture[place * c + c_])
                .collect()
        };
        pictures.chunks(h * w * c).flat_map(of).collect()
    }

    /// All tensors of a program by a formula; variances are positive.
    fn params(program: &Program) -> Params {
        let mut params = Params::default();
        for (_, parameter) in program.parameters(0..program.steps.len()) {
            let least = if parameter.name.ends_with("running_var") { 1.0 } else { -0.5 };
            let values = (0..parameter.count()).map(|i| (i * 29 % 97) as f32 / 97.0 + least).collect();
            params.insert(parameter.name, values, &parameter.shape, &Device::Cpu).unwrap();
        }
        params
    }

    #[test]
    fn every_activation_alone_and_behind_a_sum_is_the_same() {
        for act in [
            Activation::None,
            Activation::Relu,
            Activation::Relu6,
            Activation::Silu,
            Activation::HardSwish,
            Activation::Gelu,
            Activation::Sigmoid,
            Activation::HardSigmoid,
        ] {
            let mut program = Program::default();
            let x = program.conv(0, Conv::new("first", (3, 3), 3, 1).with_norm("norm", 1e-3));
            let x = program.add(Conv { act, ..Conv::new("second", (3, 3), 1, 1) }, x, Some(0));
            program.activation(x, act);
            let off =
                distance(&program.clone().under("net."), &params(&program.under("net.")), Size { h: 5, w: 7, c: 3 });
            assert!(off < 1e-6, "{act:?}: {off:e}");
        }
    }

    #[test]
    fn every_padding_stride_and_kind_of_convolution_is_the_same() {
        for (pad, kernel, stride, depthwise) in [
            (Pad::Same, 3, 2, false),
            (Pad::Same, 5, 2, true),
            (Pad::Even(0), 3, 1, false),
            (Pad::Even(3), 7, 2, false),
            (Pad::Even(1), 3, 2, true),
        ] {
            for (h, w) in [(9, 12), (8, 7)] {
                let mut program = Program::default();
                program.conv(0, Conv { pad, depthwise, ..Conv::new("conv", (4, 4), kernel, stride) });
                let off = distance(&program, &params(&program), Size { h, w, c: 4 });
                assert!(off < 1e-6, "{pad:?} {kernel} {stride} {depthwise} {h} × {w}: {off:e}");
            }
        }
    }

    #[test]
    fn squeezing_and_exciting_is_the_same() {
        for (act, gate) in [(Activation::Silu, Activation::Sigmoid), (Activation::Relu, Activation::HardSigmoid)] {
            let (reduce, expand) = ("reduce".into(), "expand".into());
            let mut program = Program::default();
            program.add(SqueezeExcite { reduce, expand, channels: 6, reduced: 2, act, gate }, 0, None);
            let off = distance(&program, &params(&program), Size { h: 5, w: 4, c: 6 });
            assert!(off < 1e-6, "{act:?} {gate:?}: {off:e}");
        }
    }

    #[test]
    fn tokens_attention_and_the_class_token_are_the_same() {
        for (registers, class_has_place) in [(0, true), (2, false), (1, true)] {
            // Of the embeddings' own size, and of others.
            for (h, w) in [(3, 3), (2, 5), (1, 1)] {
                let mut program = Program::default();
                let x = program.add(Tokens { channels: 12, grid: 3, registers, class_has_place }, 0, None);
                let x = program.add(Attention { heads: 2 }, x, None);
                let x = program.add(ClassToken, x, None);
                program.linear(x, "dense", 4, 2);
                let off = distance(&program, &params(&program), Size { h, w, c: 12 });
                assert!(off < 1e-6, "{registers} {class_has_place} {h} × {w}: {off:e}");
            }
        }
    }

    /// Of maps, of tokens (one column), and of what is no map any more.
    #[test]
    fn layer_norms_and_learned_scales_are_the_same() {
        for (h, w) in [(5, 4), (7, 1), (1, 1)] {
            let mut program = Program::default();
            let x = program.add(LayerNorm { name: "norm".into(), channels: 6, eps: 1e-6 }, 0, None);
            let x = program.add(LayerScale { name: "gamma".into(), channels: 6 }, x, Some(0));
            let x = program.average_pool(x);
            let x = program.add(LayerNorm { name: "last".into(), channels: 6, eps: 1e-3 }, x, None);
            let x = program.linear(x, "dense", 6, 4);
            let x = program.add(LayerNorm { name: "flat".into(), channels: 4, eps: 1e-3 }, x, None);
            let y = program.add(LayerScale { name: "flat.gamma".into(), channels: 4 }, x, None);
            program.add(LayerScale { name: "again".into(), channels: 4 }, y, Some(x));
            let off = distance(&program, &params(&program), Size { h, w, c: 6 });
            assert!(off < 1e-6, "{h} × {w}: {off:e}");
        }
    }

    /// A dense layer reads maps row by row with us, channel by channel in ONNX; dropout is not there.
    #[test]
    fn pools_dense_layers_pairs_and_dropout_are_the_same() {
        let mut program = Program::default();
        let x = program.max_pool(0, 3, 2, 1);
        let pointwise = Conv { act: Activation::Relu6, ..Conv::new("wide", (3, 6), 1, 1) };
        let x = program.add(
            Pair { pointwise, depthwise: Conv { depthwise: true, ..Conv::new("deep", (6, 6), 3, 1) } },
            x,
            None,
        );
        let x = program.max_pool(x, 2, 2, 0);
        let x = program.dropout(x, 0.5);
        let x = program.linear(x, "dense", 2 * 3 * 6, 8);
        program.linear(x, "last", 8, 2);
        let off = distance(&program, &params(&program), Size { h: 9, w: 11, c: 3 });
        assert!(off < 1e-6, "{off:e}");

        let mut program = Program::default();
        let x = program.average_pool(0);
        let x = program.conv(x, Conv::new("conv", (3, 4), 1, 1));
        program.linear(x, "dense", 4, 2);
        let off = distance(&program, &params(&program), Size { h: 3, w: 5, c: 3 });
        assert!(off < 1e-6, "{off:e}");
    }
}
