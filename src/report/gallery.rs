//! Photos in a grid, with what is said of each.

use plotters::prelude::{RGBColor, Rectangle};
use plotters::style::Color;

use super::figure::{Anchor, BLUE, Canvas, Figure, INK, Painted, SOFT, VERMILION, draw};
use super::said::said;
use super::scaled::SCALE;
use crate::base::config::Fit;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::seed::{Purpose, Seed};
use crate::data::{Dataset, Loader, Split, Subset, photo};
use crate::eval::{Evaluation, Prediction};
use crate::pixels::{self, Limits, Preprocess, Rgb};

/// Width of a gallery, in pixels: what Jupyter shows without shrinking it.
const WIDTH: usize = 1000;
const GAP: usize = 14;
/// Between pictures of one tile.
const SEAM: usize = 4;
/// Height of the title.
const HEAD: usize = 48;
/// Height of a line of text.
const LINE: usize = 21;

/// One picture of a gallery, with what is said below it.
pub(super) struct Tile {
    /// What is shown, side by side.
    pub(super) pictures: Vec<Rgb>,
    /// Lines below it.
    pub(super) lines: Vec<String>,
    /// Whether it is right; gives the frame its colour.
    pub(super) right: Option<bool>,
}

/// What is drawn below a grid: its height, and how to draw it from a row of pixels on.
pub(super) type Footer<'a> = (usize, &'a dyn Fn(&Canvas, i32) -> Painted);

/// Draws tiles in a grid of so many columns (their sizes are as if all were full) below a title. `footer` is drawn below, in the height that it asks for.
pub(super) fn grid(title: &str, tiles: &[Tile], columns: usize, footer: Option<Footer>) -> Result<Figure> {
    let Some(first) = tiles.first() else {
        return Err(Error::new(ErrorKind::Render, "there is no photo to show"));
    };
    let across = first.pictures.len();
    let cell = (WIDTH - GAP) / columns.max(1) - GAP;
    let columns = columns.clamp(1, tiles.len());
    let side = ((cell - (across - 1) * SEAM) / across).min(320);
    let cell = across * side + (across - 1) * SEAM;
    let fitted = tiles.iter().map(|tile| tile.fitted(side * SCALE)).collect::<Result<Vec<_>>>()?;
    let lines = tiles.iter().map(|tile| tile.lines.len()).max().unwrap_or(0);
    // Each row is as high as its tallest picture.
    let heights: Vec<usize> = fitted
        .chunks(columns)
        .map(|row| row.iter().flatten().map(|p| p.height.div_ceil(SCALE)).max().unwrap_or(0))
        .collect();
    let below = lines * LINE + GAP + 6;
    let foot = footer.as_ref().map_or(0, |(height, _)| *height);
    // A title is about eleven pixels a letter.
    let width = (GAP + columns * (cell + GAP)).max((title.chars().count() * 11 + 2 * GAP).min(WIDTH));
    let height = HEAD + heights.iter().map(|height| height + below).sum::<usize>() + foot;
    let said: Vec<String> = tiles.iter().map(|tile| tile.lines.join(", ")).collect();
    let drawn = draw((width, height), |canvas| {
        canvas.text(&canvas.fitted(title, 20.0, width as i32 - 32), (GAP as i32, 24), 20.0, INK, Anchor::Left)?;
        let mut y = HEAD;
        for ((row, pictures), height) in tiles.chunks(columns).zip(fitted.chunks(columns)).zip(&heights) {
            for (column, (tile, pictures)) in row.iter().zip(pictures).enumerate() {
                tile.draw(canvas, (GAP + column * (cell + GAP), y), (cell, *height), pictures)?;
            }
            y += height + below;
        }
        match footer {
            Some((_, draw)) => draw(canvas, y as i32),
            None => Ok(()),
        }
    })?;
    Figure::of_photos(&drawn, format!("{title}: {}", said.join("; ")))
}

impl Tile {
    /// Its pictures, each in a square of this side at most.
    fn fitted(&self, side: usize) -> Result<Vec<Rgb>> {
        self.pictures.iter().map(|picture| pixels::resize::fit(picture, side)).collect()
    }

    fn draw(&self, canvas: &Canvas, at: (usize, usize), (width, height): (usize, usize), pictures: &[Rgb]) -> Painted {
        let (x, y) = (at.0 as i32, at.1 as i32);
        let shown = |pixels: usize| pixels.div_ceil(SCALE);
        let own = pictures.iter().map(|picture| shown(picture.width) + SEAM).sum::<usize>() - SEAM;
        let mut left = x + ((width - own) / 2) as i32;
        for picture in pictures {
            // On the ground of the row, next to its lines.
            let top = y + (height - shown(picture.height)) as i32;
            let (right, bottom) = (left + shown(picture.width) as i32, top + shown(picture.height) as i32);
            if let Some(is_right) = self.right {
                let colour = if is_right { BLUE } else { VERMILION };
                canvas.area.draw(&Rectangle::new([(left - 4, top - 4), (right + 3, bottom + 3)], colour.filled()))?;
            }
            canvas.picture(picture, (left, top))?;
            left = right + SEAM as i32;
        }
        for (index, line) in self.lines.iter().enumerate() {
            let colour: RGBColor = if index == 0 { INK } else { SOFT };
            let at = (x, y + (height + index * LINE) as i32 + 17);
            canvas.text(&canvas.fitted(line, 15.0, width as i32), at, 15.0, colour, Anchor::Left)?;
        }
        Ok(())
    }
}

/// One photo, small, without a frame.
pub(super) fn one(path: &std::path::Path) -> Result<Figure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Figure::of_photos(
        &pixels::resize::fit(&photo::read(path, &Limits::NONE)?, 280 * SCALE)?,
        format!("the photo {name}"),
    )
}

/// How many tiles side by side look best.
pub(super) fn columns(tiles: usize) -> usize {
    match tiles {
        0..=4 => tiles.max(1),
        5 | 6 | 9 => 3,
        _ => 4,
    }
}

impl Dataset {
    /// One photo of each class, of the first twelve classes: the first one that can be read.
    ///
    /// # Errors
    /// [`ErrorKind::Render`] if no photo can be read.
    pub fn show_classes(&self) -> Result<Figure> {
        const MOST: usize = 12;
        /// Photos of a class that are tried.
        const TRIED: usize = 3;
        let mut tiles = Vec::new();
        for (target, class) in self.classes.iter().enumerate().take(MOST) {
            let own = self.samples.iter().filter(|sample| sample.target == target).take(TRIED);
            if let Some(picture) = own.filter_map(|sample| photo::read(&sample.path, &self.limits).ok()).next() {
                // A square of each: rows of one height, whatever the photos' shapes.
                let picture = SQUARE.square(&picture)?;
                tiles.push(Tile { pictures: vec![picture], lines: vec![class.clone()], right: None });
            }
        }
        let of = match self.classes.len() {
            all if all > MOST => format!("the first {MOST} of {all} classes"),
            _ => "each class".into(),
        };
        grid(&format!("A photo of {of}"), &tiles, tiles.len().clamp(3, 6), None)
    }
}

/// The middle of a photo, as a small square.
const SQUARE: Preprocess = Preprocess {
    size: 180 * SCALE,
    crop: 1.0,
    fit: Fit::Crop,
    filter: pixels::Filter::Bilinear,
    mean: [0.0; 3],
    std: [1.0; 3],
};

/// `n` photos of a loader, drawn from the seed, as the network sees them in its first epoch.
pub(crate) fn batch(loader: &Loader, seed: Seed, n: usize) -> Result<Figure> {
    let Subset { split, classes, samples, .. } = loader.subset();
    let mut order: Vec<usize> = (0..samples.len()).collect();
    seed.stream(Purpose::Examples, 0, 0).shuffle(&mut order);
    let mut tiles = Vec::new();
    for &index in order.iter().take(n) {
        let lines = vec![classes[samples[index].target].clone()];
        tiles.push(Tile { pictures: vec![loader.photo(index, 0)?], lines, right: None });
    }
    let how = if *split == Split::Train { "after augmentation" } else { "as the network sees them" };
    grid(&format!("{split} photos, {how}"), &tiles, columns(tiles.len()).max(tiles.len().min(4)), None)
}

impl Evaluation {
    /// The `n` photos with the largest loss: what was predicted, what is true, how sure the model was.
    pub fn top_losses(&self, n: usize) -> Result<Figure> {
        self.gallery(&format!("{}: the largest losses", self.model), &self.worst(n))
    }

    /// `n` photos with their predictions, spread evenly over the split: what the model says as a rule, not at its best or worst.
    pub fn show_results(&self, n: usize) -> Result<Figure> {
        let all = self.predictions.len();
        let n = n.clamp(1, all.max(1));
        // The middle of each of n equal stretches; the photos are in the order of their classes.
        let chosen: Vec<_> =
            (0..n).filter_map(|i| self.predictions.get((2 * i + 1) * all / (2 * n)).cloned()).collect();
        self.gallery(&format!("{}: results, {n} of {all} photos", self.model), &chosen)
    }

    /// Photos with their predictions; a blue frame for right ones, a red one for wrong ones.
    pub fn gallery(&self, title: &str, predictions: &[Prediction]) -> Result<Figure> {
        self.gallery_in(title, predictions, columns(predictions.len()))
    }

    /// The same in so many columns.
    pub(super) fn gallery_in(&self, title: &str, predictions: &[Prediction], columns: usize) -> Result<Figure> {
        let mut tiles = Vec::new();
        for prediction in predictions {
            let mut lines = said(prediction, &self.classes);
            lines.extend(prediction.loss().map(|loss| format!("loss {loss:.2}")));
            let right = prediction.is_right();
            tiles.push(Tile { pictures: vec![photo::read(&prediction.path, &Limits::NONE)?], lines, right });
        }
        grid(title, &tiles, columns, None)
    }
}
