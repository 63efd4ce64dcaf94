//! The TF Flowers archive: where it is and what it must be.

/// The archive's address.
pub const URL: &str = "https://download.tensorflow.org/example_images/flower_photos.tgz";
/// Its size.
pub const BYTES: u64 = 228_813_984;
/// Its SHA-256.
pub const SHA256: &str = "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c";
/// Whose photos they are.
pub const LICENCE: &str = "CC-BY, by the photographers that LICENSE.txt in the archive lists";
