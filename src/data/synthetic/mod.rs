//! Drawn flowers: five classes told apart by shape, not by colour, for demonstrations and tests without a network.

mod canvas;
mod flower;
mod untidy;

use std::path::Path;

use rayon::prelude::*;

use self::flower::picture;
use crate::base::error::Result;
use crate::base::files;
use crate::base::seed::{Purpose, Seed};
use crate::pixels::encode_jpeg;

pub use flower::CLASSES;
pub use untidy::{RARE, draw_untidy};

/// Draws `per_class` pictures of each class into `root/<class>/<class>_0001.jpg` and so on, fixed by the seed.
///
/// Petals, centres and backgrounds take their colours from the same palette in every class; pose, place, size, light, blur and
/// noise vary. What tells the classes is form: many narrow rays, a ball of threads, a spiral of round petals, a large dark centre
/// with short rays, a cup on a stem.
pub fn draw(root: &Path, per_class: usize, seed: Seed) -> Result<()> {
    let pictures: Vec<(usize, usize)> =
        (0..CLASSES.len()).flat_map(|class| (0..per_class).map(move |index| (class, index))).collect();
    pictures.par_iter().try_for_each(|&(class, index)| {
        let mut stream = seed.stream(Purpose::Synthetic, class as u64, index as u64);
        let name = CLASSES[class];
        let path = root.join(name).join(format!("{name}_{:04}.jpg", index + 1));
        files::write_bytes(&path, &encode_jpeg(&picture(class, &mut stream), 88)?)
    })
}
