//! What frozen layers compute is kept: the folder, a file of it, and the key that names the file.

pub mod file;
pub mod folder;
pub mod key;

pub use file::Cached;
pub use folder::{Cache, CacheFile, Evicted, Room};
pub use key::{FrozenPart, Key};
