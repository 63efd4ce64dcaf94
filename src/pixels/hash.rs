//! A perceptual hash: photos that look the same have hashes that differ in few bits.

use super::Rgb;

/// The difference hash (dHash): the photo in 9 × 8 grey fields, a bit for each pair of neighbours in a row, set where the
/// left one is brighter.
pub fn dhash(photo: &Rgb) -> u64 {
    let fields = thumbnail(photo, 9, 8);
    let mut hash = 0;
    for row in fields.chunks_exact(9) {
        for pair in row.windows(2) {
            hash = hash << 1 | u64::from(pair[0] > pair[1]);
        }
    }
    hash
}

/// In how many bits two hashes differ.
pub fn distance(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}

/// The mean grey of each field of a `columns × rows` grid over the photo.
pub fn thumbnail(photo: &Rgb, columns: usize, rows: usize) -> Vec<f32> {
    let Rgb { width, height, data } = photo;
    // Small photos have fields of at least one pixel, which then overlap.
    let span = |field: usize, fields: usize, size: usize| {
        let from = field * size / fields;
        from..((field + 1) * size / fields).max(from + 1).min(size)
    };
    let mut fields = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            let (mut sum, mut count) = (0u64, 0u64);
            for y in span(row, rows, *height) {
                for x in span(column, columns, *width) {
                    let p = &data[(y * width + x) * 3..][..3];
                    sum += 299 * u64::from(p[0]) + 587 * u64::from(p[1]) + 114 * u64::from(p[2]);
                    count += 1000;
                }
            }
            fields.push(sum as f32 / count.max(1) as f32);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize, light: usize) -> Rgb {
        let value = |i: usize| ((i % width) * 200 / width + (i / width) * 40 / height + light) as u8;
        Rgb { width, height, data: (0..width * height).flat_map(|i| [value(i); 3]).collect() }
    }

    #[test]
    fn size_and_light_hardly_matter_and_a_mirror_does() {
        let hash = dhash(&gradient(90, 80, 0));
        assert!(distance(hash, dhash(&gradient(180, 160, 10))) <= 2);
        let mut mirrored = gradient(90, 80, 0);
        for row in mirrored.data.chunks_exact_mut(270) {
            row.reverse();
        }
        assert!(distance(hash, dhash(&mirrored)) > 50);
        dhash(&gradient(1, 1, 0));
    }
}
