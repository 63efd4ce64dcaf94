//! One picture's greys, made from the colours of another: what brightness, contrast, gamma, saturation and hue change is undone.

use super::solve::solve;

/// Steps of the curve from tone to tone.
const STEPS: usize = 12;
/// Greys near black and white may be cut off, and do not count for the mixture of the channels.
const CUT: std::ops::RangeInclusive<f32> = 4.0..=251.0;
/// A channel that is cut off in part of a small picture's pixel has its mean near the end of its range.
const INSIDE: std::ops::RangeInclusive<f32> = 8.0..=247.0;

/// The greys that come nearest to `greys`, of all that a mixture of three channels and then a curve can give.
pub(super) fn fitted(channels: &[Vec<f32>; 3], greys: &[f32]) -> Vec<f32> {
    let mix = mixture(channels, greys);
    let mixed: Vec<f32> = (0..greys.len()).map(|i| (0..3).map(|c| mix[c] * channels[c][i]).sum()).collect();
    curve(&mixed, greys)
}

/// Whether each pixel (grey; red and blue less grey, halved, around 128) is at the end of some channel's range, so that it may have been cut off there.
pub(super) fn cut_off(channels: &[Vec<f32>; 3]) -> Vec<bool> {
    let is_cut = |i: usize| {
        let grey = channels[0][i];
        let [red, blue] = [1, 2].map(|c| grey + 2.0 * (channels[c][i] - 128.0));
        let green = (grey - 0.299 * red - 0.114 * blue) / 0.587;
        [red, green, blue].iter().any(|value| !INSIDE.contains(value))
    };
    (0..channels[0].len()).map(is_cut).collect()
}

/// How much of each channel.
fn mixture(channels: &[Vec<f32>; 3], greys: &[f32]) -> [f32; 3] {
    let mean = |values: &[f32], kept: &[usize]| kept.iter().map(|&i| values[i]).sum::<f32>() / kept.len() as f32;
    let kept: Vec<usize> =
        (0..greys.len()).filter(|&i| CUT.contains(&greys[i]) && CUT.contains(&channels[0][i])).collect();
    if kept.len() < greys.len() / 50 {
        return [1.0, 0.0, 0.0];
    }
    let means = [0, 1, 2].map(|c| mean(&channels[c], &kept));
    let mean_grey = mean(greys, &kept);
    let (mut normal, mut target) = ([[0.0; 3]; 3], [0.0; 3]);
    for &i in &kept {
        let values = [0, 1, 2].map(|c| channels[c][i] - means[c]);
        for row in 0..3 {
            target[row] += values[row] * (greys[i] - mean_grey);
            for column in row..3 {
                normal[row][column] += values[row] * values[column];
            }
        }
    }
    // So that a channel which says nothing counts for nothing.
    let count = kept.len() as f32;
    (0..3).for_each(|c| normal[c][c] += count);
    solve(normal, target).unwrap_or([1.0, 0.0, 0.0])
}

/// Puts tones through the curve that brings them nearest to others: a value a step, straight between.
fn curve(tones: &[f32], greys: &[f32]) -> Vec<f32> {
    let (low, high) = tones.iter().fold((f32::MAX, f32::MIN), |(low, high), tone| (low.min(*tone), high.max(*tone)));
    let place = |tone: f32| {
        let at = (tone - low) / (high - low).max(1e-3) * (STEPS - 1) as f32;
        let step = (at as usize).min(STEPS - 2);
        (step, at - step as f32)
    };
    let (mut normal, mut target) = ([[0.0; STEPS]; STEPS], [0.0; STEPS]);
    for (tone, grey) in tones.iter().zip(greys) {
        let (step, part) = place(*tone);
        let weights = [1.0 - part, part];
        for i in 0..2 {
            target[step + i] += weights[i] * grey;
            for j in i..2 {
                normal[step + i][step + j] += weights[i] * weights[j];
            }
        }
    }
    // Steps that no pixel falls on: as smooth as the rest allows.
    for step in 1..STEPS - 1 {
        let bend = [1.0, -2.0, 1.0];
        for i in 0..3 {
            for j in i..3 {
                normal[step - 1 + i][step - 1 + j] += SMOOTH * bend[i] * bend[j];
            }
        }
    }
    let values = solve(normal, target).unwrap_or([0.0; STEPS]);
    let put = |tone: &f32| {
        let (step, part) = place(*tone);
        values[step] + part * (values[step + 1] - values[step])
    };
    tones.iter().map(put).collect()
}

/// How much the curve resists bending, in pixels.
const SMOOTH: f32 = 20.0;
