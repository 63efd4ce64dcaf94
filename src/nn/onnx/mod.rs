//! ONNX (<https://onnx.ai>): a network as a graph that other programs run. Steps write themselves as its nodes; what is around a network, and the file, is
//! `export`'s.

mod graph;
mod rounded;
pub(crate) mod schema;
mod stored;
mod value;

pub use graph::{Attribute, Graph, Pixels, ints};
pub use stored::{Ranges, Stored};
pub use value::Value;

use crate::base::error::{Error, ErrorKind};

/// The set of operators whose meaning files rely on: that of ONNX 1.12 (2022), the oldest that has all of them, for the most readers.
pub const OPSET: i64 = 17;

/// The version of the file format that came with it.
pub const IR_VERSION: i64 = 8;

fn bug(what: String) -> Error {
    Error::new(ErrorKind::Bug, what)
}
