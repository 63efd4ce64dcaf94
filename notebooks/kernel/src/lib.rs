//! petal as one shared library, so that every notebook cell uses the same copy of its (and Candle's) statics.
pub use petal::*;
