//! A heat map over its photo.

use super::heat_map::HeatMap;
use crate::pixels::Rgb;

/// The photo in grey, with the map's colours over it: the warmer a place, the more of its colour. `most` is the value that
/// gets the hottest colour; maps that are to be compared share it.
pub fn overlay(photo: &Rgb, heat: &HeatMap, most: f32) -> Rgb {
    let Rgb { width, height, data } = photo;
    let mut out = Vec::with_capacity(data.len());
    for (index, pixel) in data.chunks_exact(3).enumerate() {
        let x = (index % width) as f32 + 0.5;
        let y = (index / width) as f32 + 0.5;
        let value = heat.at(x / *width as f32, y / *height as f32);
        let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
        let grey = 0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2]);
        // Full colour would hide the photo where it matters most.
        let weight = 0.75 * share.sqrt();
        out.extend(colour(share).map(|c| (grey * (1.0 - weight) + f32::from(c) * weight).round() as u8));
    }
    Rgb { width: *width, height: *height, data: out }
}

/// The colour of a share from 0 to 1: matplotlib's inferno, by eight of its values. Its lightness grows evenly, so it reads
/// in grey and to colour-blind people too.
pub fn colour(share: f32) -> [u8; 3] {
    const INFERNO: [[u8; 3]; 8] = [
        [0, 0, 4],
        [40, 11, 84],
        [101, 21, 110],
        [159, 42, 99],
        [212, 72, 66],
        [245, 125, 21],
        [250, 193, 39],
        [252, 255, 164],
    ];
    let position = share.clamp(0.0, 1.0) * 7.0;
    let low = (position.floor() as usize).min(6);
    let part = position - low as f32;
    std::array::from_fn(|c| {
        let (from, to) = (f32::from(INFERNO[low][c]), f32::from(INFERNO[low + 1][c]));
        (from + (to - from) * part).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cold_map_leaves_the_photo_grey_and_a_hot_field_glows() {
        let photo = Rgb { width: 4, height: 2, data: [200, 100, 50].repeat(8) };
        let heat = HeatMap { width: 2, height: 1, values: vec![0.0, 2.0], class: 0 };
        let shown = overlay(&photo, &heat, 2.0);
        let grey = (0.299f32 * 200.0 + 0.587 * 100.0 + 0.114 * 50.0).round() as u8;
        assert_eq!(shown.data[..3], [grey; 3]);
        let hot = &shown.data[9..12];
        assert!(hot[0] > 200 && hot[2] < hot[0], "{hot:?}");
        // Nothing spoke for the class: no division by zero, no colour.
        let cold = HeatMap { values: vec![0.0, 0.0], ..heat };
        assert_eq!(overlay(&photo, &cold, 0.0).data, [grey; 24]);
        assert_eq!([colour(0.0), colour(1.0)], [[0, 0, 4], [252, 255, 164]]);
    }
}
