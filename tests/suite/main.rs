//! One test binary: linked once, and every test in one list.

mod bad_input;
mod command;
mod data;
mod formulas;
mod layers;
mod odd_photos;
mod parity;
mod pixels;
mod report;
mod support;
mod training;
mod weights;
