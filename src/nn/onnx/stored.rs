//! How a graph stores its weights.

use std::collections::BTreeMap;

/// The least and the greatest number that values had, by their names in the graph.
pub type Ranges = BTreeMap<String, (f32, f32)>;

/// How a graph stores its weights.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// As they are.
    F32,
    /// Rounded to 16 bits; everything is computed in f32.
    F16,
    /// Rounded to 8 bits, a scale for each output channel, and maps rounded to 8 bits within these ranges: ONNX's QDQ form (Jacob et al. 2018,
    /// arXiv:1712.05877), which a runtime computes in whole numbers where it can.
    Int8(Ranges),
}
