//! The network: the client of every request, and downloads that go on where they stopped.

pub(crate) mod client;
pub mod download;
