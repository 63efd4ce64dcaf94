//! One test binary: linked once, and every test in one list.

mod command;
mod data;
mod formulas;
mod layers;
mod parity;
mod pixels;
mod report;
mod training;
mod weights;
