//! Maps as tokens: what stands between the patches of a vision transformer and its blocks.

use candle_core::{Device, Tensor};
use serde_json::json;

use super::step::{
    Bound, Description, Draws, Left, Needs, Parameter, Place, Ready, Site, Size, Step, Sum, Sums, Wanted,
};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::Stream;
use crate::kernels::{Buffer, Memory, Resample, tokens};
use crate::nn::onnx::{Graph, Value};
use crate::nn::operation::with_values;
use crate::nn::workspace::Workspace;

/// A class token, registers and the fields of a map as one row of tokens, each with an embedding of its place added: `[B, h, w, C]` to
/// `[B, 1 + registers + h · w, 1, C]` (Dosovitskiy et al. 2020, <https://arxiv.org/abs/2010.11929>; registers: Darcet et al. 2023,
/// <https://arxiv.org/abs/2309.16588>).
///
/// A map of another size than the embeddings' grid gets them resampled by an antialiased bicubic filter, as timm's `resample_abs_pos_embed` does; gradients
/// go back through that.
///
/// ```
/// use candle_core::Device;
/// use petal::nn::Params;
/// use petal::nn::program::{Program, Runner, Size};
/// use petal::nn::steps::Tokens;
///
/// let mut program = Program::default();
/// program.add(Tokens { channels: 1, grid: 2, registers: 1, class_has_place: false }, 0, None);
/// let mut params = Params::default();
/// params.insert("cls_token", vec![7.0], &[1, 1, 1], &Device::Cpu)?;
/// params.insert("reg_token", vec![8.0], &[1, 1, 1], &Device::Cpu)?;
/// params.insert("pos_embed", vec![10.0, 20.0, 30.0, 40.0], &[1, 4, 1], &Device::Cpu)?;
/// let tokens = Runner::new(&program, &params, Size { h: 2, w: 2, c: 1 })?;
/// assert_eq!(tokens.run(&[1.0, 2.0, 3.0, 4.0]), [7.0, 8.0, 11.0, 22.0, 33.0, 44.0]);
/// # Ok::<(), petal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Channels of the map, and numbers of a token. Its tensors are timm's: `cls_token`, `[1, 1, channels]`; `reg_token`, `[1, registers, channels]`, where
    /// there are registers; `pos_embed`, `[1, grid², channels]`, with one more in front where the class token has one.
    pub channels: usize,
    /// Side of the square that the embeddings are of.
    pub grid: usize,
    /// Registers: tokens that belong to no field of the map, and gather what is of none.
    pub registers: usize,
    /// Whether the class token has an embedding of its place, the first one.
    pub class_has_place: bool,
}

impl Tokens {
    /// Tokens that are no fields of the map.
    pub fn own(&self) -> usize {
        1 + self.registers
    }

    /// Where the embeddings of the fields begin.
    fn first(&self) -> usize {
        usize::from(self.class_has_place) * self.channels
    }

    /// From the embeddings' grid to that of a map, for rows and for columns.
    fn resample(&self, h: usize, w: usize) -> [Resample; 2] {
        [h, w].map(|side| Resample::bicubic(self.grid, side))
    }

    fn check(&self, channels: usize) -> Result<()> {
        if channels == self.channels {
            return Ok(());
        }
        let what = format!("tokens are made of {} channels; got maps of {channels}", self.channels);
        Err(Error::new(ErrorKind::Tensor, what))
    }

    /// What is added to a map's places, and what stands before them: `[own + h · w, channels]`.
    fn table(&self, Size { h, w, .. }: Size, tensors: &[&Tensor]) -> Result<Vec<f32>> {
        let own = self.own() * self.channels;
        let mut table = vec![0.0; own + h * w * self.channels];
        let (before, fields) = table.split_at_mut(own);
        let (without_places, places) = tensors.split_at(tensors.len() - 1);
        for (tensor, to) in without_places.iter().zip([0, self.channels]) {
            with_values(tensor, |values| before[to..][..values.len()].copy_from_slice(values))?;
        }
        let [rows, columns] = self.resample(h, w);
        with_values(places[0], |places| {
            let (class, places) = places.split_at(self.first());
            before.iter_mut().zip(class).for_each(|(token, place)| *token += place);
            rows.forward(&columns, self.channels, places, fields);
        })?;
        Ok(table)
    }
}

impl Step for Tokens {
    fn describe(&self) -> Description {
        let settings = json!({
            "channels": self.channels,
            "grid": self.grid,
            "registers": self.registers,
            "class_has_place": self.class_has_place,
        });
        Description { kind: "tokens", settings, parameters: self.parameters() }
    }

    fn parameters(&self) -> Vec<Parameter> {
        let &Self { channels, grid, registers, class_has_place } = self;
        let of = |name: &str, count: usize| Parameter::new(name.into(), &[1, count, channels]);
        let registers = (registers > 0).then(|| of("reg_token", registers));
        let places = of("pos_embed", usize::from(class_has_place) + grid * grid);
        [Some(of("cls_token", 1)), registers, Some(places)].into_iter().flatten().collect()
    }

    fn output(&self, Size { h, w, c }: Size) -> Size {
        Size { h: self.own() + h * w, w: 1, c }
    }

    fn needs(&self, _: &Place) -> Needs {
        Needs::default()
    }

    fn ready(&self, place: &Place, tensors: &[Bound], _: Option<Draws>, _: &Memory) -> Result<Box<dyn Ready>> {
        self.check(place.input.c)?;
        let table = self.table(place.input, &tensors.iter().map(|bound| &bound.tensor).collect::<Vec<_>>())?;
        let trainable = tensors.iter().filter(|bound| bound.trains).map(|bound| bound.tensor.clone()).collect();
        Ok(Box::new(ReadyTokens { step: *self, input: place.input, table, trainable }))
    }

    fn composed(&self, x: &Tensor, _: Option<&Tensor>, tensors: &[Tensor], _: Option<&mut Stream>) -> Result<Tensor> {
        let (pictures, c, h, w) = x.dims4()?;
        self.check(c)?;
        let last = tensors.len() - 1;
        // [tokens, channels], as are the embeddings.
        let before = tensors[..last].iter().map(|tensor| tensor.squeeze(0)).collect::<candle_core::Result<Vec<_>>>()?;
        let mut before = Tensor::cat(&before, 0)?;
        let mut places = tensors[last].squeeze(0)?;
        if self.class_has_place {
            let class = (before.narrow(0, 0, 1)? + places.narrow(0, 0, 1)?)?;
            before = match self.registers {
                0 => class,
                registers => Tensor::cat(&[&class, &before.narrow(0, 1, registers)?], 0)?,
            };
            places = places.narrow(0, 1, self.grid * self.grid)?;
        }
        let [rows, columns] = self.resample(h, w);
        let shape = (h * w, self.grid * self.grid);
        let places = Tensor::from_vec(rows.matrix(&columns), shape, x.device())?.matmul(&places.contiguous()?)?;
        let fields = x.flatten_from(2)?.broadcast_add(&places.t()?.unsqueeze(0)?)?;
        let before = before.t()?.unsqueeze(0)?.broadcast_as((pictures, c, self.own()))?;
        Ok(Tensor::cat(&[&before.contiguous()?, &fields], 2)?.unsqueeze(3)?)
    }

    /// Zeros before the map's fields, and one table for all of them: so nothing has to know how many pictures there are.
    fn onnx(&self, graph: &mut Graph, site: &Site) -> Result<Value> {
        let (x, name) = (site.input, site.name("tokens"));
        let Size { h, w, c } = x.size();
        self.check(c)?;
        let table = self.table(x.size(), &site.tensors.iter().map(|bound| &bound.tensor).collect::<Vec<_>>())?;
        let tokens = self.own() + h * w;
        let table = Tensor::from_vec(table, (tokens, c), &Device::Cpu)?.t()?.flatten_all()?.to_vec1::<f32>()?;
        let table = graph.tensor(&format!("{name}.table"), &[1, c, tokens, 1], &table);
        let shape = graph.whole_numbers(&format!("{name}.shape"), &[0, c as i64, (h * w) as i64, 1]);
        let row = graph.node("Reshape", &format!("{name}.row"), &[&x.name, &shape], &[], (vec![c, h * w, 1], None));
        let pads = graph.whole_numbers(&format!("{name}.pads"), &[0, 0, self.own() as i64, 0, 0, 0, 0, 0]);
        let shape = vec![c, tokens, 1];
        let all = graph.node("Pad", &format!("{name}.all"), &[&row.name, &pads], &[], (shape.clone(), None));
        Ok(graph.node("Add", &name, &[&all.name, &table], &[], (shape, x.through(self, site.tensors)?)))
    }
}

#[derive(Debug)]
struct ReadyTokens {
    step: Tokens,
    input: Size,
    table: Vec<f32>,
    /// All of its tensors, or none.
    trainable: Vec<Tensor>,
}

impl Ready for ReadyTokens {
    fn forward(&self, x: &[f32], _: Option<&[f32]>, y: &mut [f32], _: Option<&mut [f32]>, _: &Memory) {
        tokens::forward(self.step.own() * self.step.channels, x, &self.table, y);
    }

    /// Of the table.
    fn sums(&self) -> Vec<usize> {
        if self.trainable.is_empty() { Vec::new() } else { vec![self.table.len()] }
    }

    fn backward(&self, _: Left, dy: &mut [f32], wanted: Wanted, _: &Memory) {
        if let Some(Sums { accumulate, to }) = wanted.weights {
            tokens::backward_table(dy, accumulate, &mut to[0]);
        }
        if let Some(Sum { accumulate, to }) = wanted.input {
            tokens::backward_input((self.step.own() * self.step.channels, self.table.len()), dy, accumulate, to);
        }
    }

    fn finish(&self, sums: Vec<Buffer>, workspace: &Workspace) -> Result<()> {
        let (before, fields) = sums[0].split_at(self.step.own() * self.step.channels);
        let [rows, columns] = self.step.resample(self.input.h, self.input.w);
        let Some((places, own)) = self.trainable.split_last() else { return Ok(()) };
        for (tensor, from) in own.iter().zip([0, self.step.channels]) {
            let mut gradient = workspace.memory.buffer(tensor.elem_count());
            let len = gradient.len();
            gradient.copy_from_slice(&before[from..][..len]);
            workspace.leave(tensor, gradient);
        }
        let mut gradient = workspace.memory.buffer(places.elem_count());
        let (class, grid) = gradient.split_at_mut(self.step.first());
        class.copy_from_slice(&before[..class.len()]);
        rows.backward(&columns, self.step.channels, fields, grid);
        workspace.leave(places, gradient);
        Ok(())
    }
}
