//! Linear classifiers that are solved for: logistic regression by L-BFGS, and what goes with it. In f64, on the CPU; sums have a fixed order.

pub mod folds;
pub mod lbfgs;
pub mod logistic;
pub mod neighbours;
pub mod rows;

pub use folds::{Solved, solve};
pub use lbfgs::minimize;
pub use logistic::{Linear, logistic};
pub use neighbours::neighbours;
pub use rows::{Rows, Scaling};
