//! Views of an ONNX file that was written.

use super::words::bytes;
use super::{View, shows};
use crate::export::onnx::Exported;

shows!(Exported);

impl Exported {
    /// The file, what it takes, its size and its hash; and the reference beside it.
    pub fn view(&self) -> View {
        let mut facts = vec![("file", self.path.display().to_string())];
        facts.extend(self.reference.as_ref().map(|path| ("reference", path.display().to_string())));
        facts.extend([("with", self.words.clone()), ("size", bytes(self.bytes)), ("SHA-256", self.sha256.clone())]);
        View::new("the model is written as ONNX, for other programs")
            .facts(facts)
            .hint("docs/ONNX.md: how Python runs it")
    }
}
