//! A graph of ONNX's while it is written: steps add their nodes and tensors, each under a name of its own.

use std::collections::BTreeSet;
use std::str::FromStr;

use candle_core::Tensor;

use super::schema::{self, AttributeType, DataType, Dimension, Length, Shape, TensorType, Type, ValueInfo};
use super::stored::{Ranges, Stored};
use super::value::Value;
use crate::base::error::{Error, Result};

/// What the first dimension of everything that flows is called: pictures in the batch.
const BATCH: &str = "N";

/// A graph of ONNX's while it is written.
///
/// ```
/// use petal::nn::onnx::{Graph, Pixels, Stored};
///
/// let mut graph = Graph::new(Stored::F32);
/// let images = graph.input("images", vec![3, 2, 2], Pixels::F32);
/// let relu = graph.node("Relu", "relu", &[&images.name], &[], (images.shape, None));
/// assert_eq!((relu.name.as_str(), relu.shape), ("relu", vec![3, 2, 2]));
/// // A name is given once.
/// assert_eq!(graph.node("Relu", "relu", &["relu"], &[], (vec![3, 2, 2], None)).name, "relu_2");
/// ```
#[derive(Debug)]
pub struct Graph {
    graph: schema::Graph,
    names: BTreeSet<String>,
    pub(super) stored: Stored,
    /// The ranges of what had a sample.
    pub(super) seen: Ranges,
}

/// A setting of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A number.
    Float(f32),
    /// A whole number.
    Int(i64),
    /// Whole numbers.
    Ints(Vec<i64>),
}

/// In what numbers pictures come; 0 to 255 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pixels {
    /// Bytes (`u8`). The default.
    #[default]
    U8,
    /// Floats (`f32`), for programs that have no others.
    F32,
}

impl Pixels {
    /// The name on the command line, and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::F32 => "f32",
        }
    }
}

impl FromStr for Pixels {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::U8, Self::F32];
        let unknown = || Error::unknown("input", name, &all.map(Self::name));
        all.into_iter().find(|pixels| pixels.name() == name).ok_or_else(unknown)
    }
}

impl Graph {
    /// An empty one, whose weights are stored so.
    pub fn new(stored: Stored) -> Self {
        let graph = schema::Graph { name: "petal".into(), ..schema::Graph::default() };
        Self { graph, names: BTreeSet::new(), stored, seen: Ranges::new() }
    }

    /// What goes in, of this shape behind the batch.
    pub fn input(&mut self, name: &str, shape: Vec<usize>, pixels: Pixels) -> Value {
        let name = self.unused(name);
        let of = match pixels {
            Pixels::U8 => DataType::Uint8,
            Pixels::F32 => DataType::Float,
        };
        self.graph.input.push(info(&name, of, true, &shape));
        Value { name, shape, sample: None, scale: None }
    }

    /// Adds a node that makes f32 of this shape behind the batch, of the sample too where there is one; gives its output, which has the node's name.
    pub fn node(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        (shape, sample): (Vec<usize>, Option<Tensor>),
    ) -> Value {
        let name = self.fixed(op, name, inputs, attributes, (DataType::Float, true, &shape));
        Value { name, shape, sample, scale: None }
    }

    /// Adds a node that makes f32 of pictures of bytes; gives its output's name.
    pub fn cast(&mut self, name: &str, input: &str, shape: &[usize]) -> String {
        let to = [("to", Attribute::Int(DataType::Float as i64))];
        self.fixed("Cast", name, &[input], &to, (DataType::Float, true, shape))
    }

    /// The same for other numbers, and for what is the same for all pictures; `of`: which numbers, whether there is a batch, the shape behind it.
    pub(super) fn fixed(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
        (of, batch, shape): (DataType, bool, &[usize]),
    ) -> String {
        let name = self.unused(name);
        let attribute = attributes.iter().map(|(name, value)| value.named(name)).collect();
        let input = inputs.iter().map(ToString::to_string).collect();
        let output = vec![name.clone()];
        self.graph.node.push(schema::Node { input, output, name: name.clone(), op_type: op.into(), attribute });
        self.graph.value_info.push(info(&name, of, batch, shape));
        name
    }

    /// Adds numbers that are the same for all pictures, as f32; gives their name.
    pub fn tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.raw(name, DataType::Float, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A number without a shape, once for all that ask for it; gives its name.
    pub fn number(&mut self, value: f32) -> String {
        let name = format!("number.{value}");
        if self.names.contains(&name) { name } else { self.tensor(&name, &[], &[value]) }
    }

    /// Adds whole numbers, as sizes and places are given where they are no settings; gives their name.
    pub fn whole_numbers(&mut self, name: &str, values: &[i64]) -> String {
        self.raw(name, DataType::Int64, &[values.len()], values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A whole number without a shape, once for all that ask for it; gives its name.
    pub fn whole_number(&mut self, value: i64) -> String {
        let name = format!("whole_number.{value}");
        if self.names.contains(&name) {
            return name;
        }
        self.raw(&name, DataType::Int64, &[], value.to_le_bytes().to_vec())
    }

    /// Adds a tensor as its bytes; gives its name.
    pub(super) fn raw(&mut self, name: &str, of: DataType, shape: &[usize], raw_data: Vec<u8>) -> String {
        let name = self.unused(name);
        let dims = shape.iter().map(|&length| length as i64).collect();
        self.graph.initializer.push(schema::Tensor { dims, data_type: of.into(), name: name.clone(), raw_data });
        name
    }

    /// Makes a value an output of the graph, under this name; `doc` says what it is.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`](crate::ErrorKind::Bug) where the graph has no such value.
    pub fn output(&mut self, value: Value, name: &str, doc: &str) -> Result<Value> {
        let place = self.graph.value_info.iter().position(|info| info.name == value.name);
        let place = place.ok_or_else(|| super::bug(format!("{} is no value of the graph", value.name)))?;
        let name = self.unused(name);
        let told = self.graph.value_info.remove(place);
        self.graph.output.push(ValueInfo { name: name.clone(), doc_string: doc.into(), ..told });
        for node in &mut self.graph.node {
            let names = node.input.iter_mut().chain(&mut node.output);
            names.filter(|other| **other == value.name).for_each(|other| other.clone_from(&name));
        }
        Ok(Value { name, ..value })
    }

    /// The ranges of the values that had a sample and were settled.
    pub fn into_ranges(self) -> Ranges {
        self.seen
    }

    /// All of it, as the schema has it.
    pub(crate) fn finish(self) -> schema::Graph {
        self.graph
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.graph.node.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name that was wanted; where it is given away, with the first number that makes it another.
    fn unused(&mut self, wanted: &str) -> String {
        let with_number = |number: usize| if number == 1 { wanted.into() } else { format!("{wanted}_{number}") };
        let mut name: String = with_number(1);
        for number in 2.. {
            if self.names.insert(name.clone()) {
                break;
            }
            name = with_number(number);
        }
        name
    }
}

impl Attribute {
    fn named(&self, name: &str) -> schema::Attribute {
        let named = |of: AttributeType| schema::Attribute {
            name: name.into(),
            r#type: of.into(),
            f: 0.0,
            i: 0,
            ints: Vec::new(),
        };
        match self {
            Self::Float(f) => schema::Attribute { f: *f, ..named(AttributeType::Float) },
            Self::Int(i) => schema::Attribute { i: *i, ..named(AttributeType::Int) },
            Self::Ints(ints) => schema::Attribute { ints: ints.clone(), ..named(AttributeType::Ints) },
        }
    }
}

/// Sizes as ONNX has them.
pub fn ints(sizes: &[usize]) -> Attribute {
    Attribute::Ints(sizes.iter().map(|&size| size as i64).collect())
}

fn info(name: &str, of: DataType, batch: bool, shape: &[usize]) -> ValueInfo {
    let batch = batch.then(|| Length::Name(BATCH.into()));
    let lengths = batch.into_iter().chain(shape.iter().map(|&length| Length::Value(length as i64)));
    let dim = lengths.map(|length| Dimension { value: Some(length) }).collect();
    let tensor_type = Some(TensorType { elem_type: of.into(), shape: Some(Shape { dim }) });
    ValueInfo { name: name.into(), r#type: Some(Type { tensor_type }), doc_string: String::new() }
}
