//! The ground: errors, long work, random streams, settings, the project's folders, files.

pub mod config;
pub mod error;
pub mod files;
pub mod project;
pub mod seed;
pub mod work;
