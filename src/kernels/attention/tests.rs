use super::softmax::{Again, Finish, Online, Products};
use super::*;
use crate::kernels::simd::every_unit;
use crate::kernels::tests::{assert_close, distance, memory, numbers};

/// Attention and its gradient in f64, straight from the formula; `[y, dqkv]`.
fn plain(attention: &Attention, qkv: &[f32], dy: &[f32]) -> [Vec<f64>; 2] {
    let &Attention { tokens, channels, heads } = attention;
    let (width, pictures) = (channels / heads, dy.len() / (tokens * channels));
    let scale = 1.0 / (width as f64).sqrt();
    let (mut y, mut dqkv) = (vec![0.0; dy.len()], vec![0.0; qkv.len()]);
    for (picture, head) in (0..pictures).flat_map(|picture| (0..heads).map(move |head| (picture, head))) {
        let at =
            |token: usize, part: usize, i: usize| ((picture * tokens + token) * 3 + part) * channels + head * width + i;
        let out = |token: usize, i: usize| (picture * tokens + token) * channels + head * width + i;
        let number = |token: usize, part: usize, i: usize| f64::from(qkv[at(token, part, i)]);
        for query in 0..tokens {
            let score = |key: usize| scale * (0..width).map(|i| number(query, 0, i) * number(key, 1, i)).sum::<f64>();
            let scores: Vec<f64> = (0..tokens).map(score).collect();
            let largest = scores.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            let sum: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
            let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp() / sum).collect();
            let gradient = |i: usize| f64::from(dy[out(query, i)]);
            let back = |key: usize| (0..width).map(|i| gradient(i) * number(key, 2, i)).sum::<f64>();
            let back: Vec<f64> = (0..tokens).map(back).collect();
            let mean: f64 = weights.iter().zip(&back).map(|(weight, back)| weight * back).sum();
            for (key, (weight, back)) in weights.iter().zip(&back).enumerate() {
                for i in 0..width {
                    y[out(query, i)] += weight * number(key, 2, i);
                    dqkv[at(key, 2, i)] += weight * gradient(i);
                    dqkv[at(query, 0, i)] += weight * (back - mean) * scale * number(key, 1, i);
                    dqkv[at(key, 1, i)] += weight * (back - mean) * scale * number(query, 0, i);
                }
            }
        }
    }
    [y, dqkv]
}

/// On both sides of where tokens make one tile, and several; numbers up to 12, so that some rows are nearly all one token's.
#[test]
fn it_is_the_formula_under_odd_sizes() {
    let cases =
        [(1, 1, 1, 1), (3, 2, 4, 2), (2, 5, 9, 3), (1, 17, 15, 1), (2, 129, 16, 2), (1, 321, 21, 1), (1, 700, 8, 2)];
    for (pictures, tokens, channels, heads) in cases {
        let (attention, memory) = (Attention { tokens, channels, heads }, memory());
        let what = format!("{pictures} of {attention:?}");
        let mut qkv = numbers(pictures * tokens * 3 * channels, 1);
        qkv.iter_mut().for_each(|number| *number *= 4.0);
        let dy = numbers(pictures * tokens * channels, 2);
        let [expected, gradient] = plain(&attention, &qkv, &dy);
        let mut y = vec![9.0; dy.len()];
        forward(&attention, &qkv, &mut y, None, &memory);
        assert_close(&y, &expected, &format!("{what}, forward"));

        let (mut again, mut statistics) = (vec![9.0; dy.len()], vec![9.0; pictures * attention.statistics()]);
        forward(&attention, &qkv, &mut again, Some(&mut statistics), &memory);
        assert_eq!(again, y, "{what}");
        let mut dqkv = vec![9.0; qkv.len()];
        backward(&attention, &qkv, (&y, &dy), &statistics, false, &memory, &mut dqkv);
        // Scores of some tens have a last bit of a millionth, and weights are e to their power.
        let off = distance(&dqkv, &gradient);
        assert!(off < 3e-6, "{what}, backward: {off:e}");
        let mut added = vec![0.5; qkv.len()];
        backward(&attention, &qkv, (&y, &dy), &statistics, true, &memory, &mut added);
        assert!(added.iter().zip(&dqkv).all(|(added, alone)| *added == 0.5 + alone), "{what}, added");
    }
}

#[test]
fn large_scores_stay_finite_and_what_is_no_number_is_noticed() {
    let attention = Attention { tokens: 400, channels: 4, heads: 1 };
    let mut qkv: Vec<f32> = numbers(400 * 12, 3).iter().map(|number| 100.0 * number).collect();
    let mut y = vec![0.0; 400 * 4];
    forward(&attention, &qkv, &mut y, None, &memory());
    let [expected, _] = plain(&attention, &qkv, &vec![0.0; y.len()]);
    // Scores of some ten thousands have a last bit of a thousandth.
    assert!(distance(&y, &expected) < 1e-3);
    // One query: its own token alone.
    qkv[12 * 7] = f32::NAN;
    forward(&attention, &qkv, &mut y, None, &memory());
    let lost: Vec<usize> = (0..400).filter(|token| y[4 * token..][..4].iter().any(|number| number.is_nan())).collect();
    assert_eq!(lost, [7]);
    // One key: all tokens.
    qkv[12 * 7 + 4] = f32::NAN;
    forward(&attention, &qkv, &mut y, None, &memory());
    assert!(y.iter().all(|number| number.is_nan()));
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let attention = Attention { tokens: 261, channels: 24, heads: 3 };
    let (qkv, dy) = (numbers(3 * 261 * 72, 4), numbers(3 * 261 * 24, 5));
    let on = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let (mut y, mut statistics) = (vec![0.0; dy.len()], vec![0.0; 3 * attention.statistics()]);
            forward(&attention, &qkv, &mut y, Some(&mut statistics), &memory());
            let mut dqkv = vec![0.0; qkv.len()];
            backward(&attention, &qkv, (&y, &dy), &statistics, false, &memory(), &mut dqkv);
            (y, statistics, dqkv)
        })
    };
    let one = on(1);
    assert!(one == on(2) && one == on(3));
}

#[test]
fn every_vector_unit_gives_the_same_rows() {
    let (rows, columns, width) = (5, 37, 19);
    every_unit::gives_the_same_bytes(|unit| {
        let (mut scores, mut known, mut sums) =
            (numbers(rows * columns, 1), vec![0.0; 2 * rows], numbers(rows * width, 2));
        let scale = 0.7;
        for first in [true, false] {
            scores.iter_mut().for_each(|score| *score *= 3.0);
            let (scores, known, sums) = (&mut scores, &mut known, &mut sums);
            unit.run(Online { scores, columns, scale, first, known, stride: 2, sums, width });
        }
        let mut y = vec![0.0; rows * width];
        unit.run(Finish { sums: &sums, width, known: &mut known, stride: 2, y: &mut y, channels: width });
        let mut products = vec![0.0; rows];
        unit.run(Products { a: &y, b: &sums, channels: width, width, products: &mut products });
        let (mut gradients, products_of) = (numbers(rows * columns, 3), products.clone());
        let (scores_of, gradients_of) = (&mut scores, &mut gradients);
        unit.run(Again {
            scores: scores_of,
            gradients: gradients_of,
            columns,
            scale,
            known: &known,
            stride: 2,
            products: &products_of,
        });
        assert!(gradients.iter().all(|number| number.is_finite()));
        [scores, known, y, products, gradients]
    });
}
