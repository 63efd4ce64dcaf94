//! Linear classifiers that are solved for: logistic regression by L-BFGS, and what goes with it. In f64, on the CPU; sums have a fixed order.

pub mod folds;
pub mod held_out;
pub mod lbfgs;
pub mod logistic;
pub mod neighbours;
pub mod rows;

pub use folds::{Solved, solve};
pub use held_out::{deal, out_of_fold};
pub use lbfgs::minimize;
pub use logistic::{Linear, logistic};
pub use neighbours::neighbours;
pub use rows::{Rows, Scaling};
