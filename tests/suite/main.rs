//! One test binary: linked once, and every test in one list.

mod advice;
mod bad_input;
mod cache;
mod command;
mod contributing;
mod data;
mod faults;
mod formats;
mod formulas;
mod interpretation;
mod layers;
mod learner;
mod live;
mod lr_find;
mod odd_photos;
mod own_photos;
mod parity;
mod phases;
mod pixels;
mod recipes;
mod report;
mod runs;
mod support;
mod training;
mod versions;
mod weights;
