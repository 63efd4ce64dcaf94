//! What changes no byte, or next to none: how much is asked for at once, threads, batches.

use super::*;
use crate::kernels::backward_activation;
use crate::kernels::conv::{InputGradient, WeightGradient};

#[test]
fn both_gradients_at_once_are_the_same_and_lie_before_the_activation() {
    for case in Case::all().filter(|case| case.batch > 1).chain(large_cases()) {
        let (conv, memory) = (&case.conv, &memory());
        for accumulate in [false, true] {
            let mut expected = case.backward_input(accumulate);
            backward_activation(Activation::Relu, &case.x, &mut expected);
            let mut expected_sums = vec![0.5; conv::sums_len(conv)];
            conv::backward_weight(conv, &case.x, &case.dy, accumulate, memory, &mut expected_sums);
            let weights = &BackwardWeights::pack(conv, &case.weight, None, memory);
            let mut dx = if accumulate { case.x.clone() } else { vec![f32::NAN; case.x.len()] };
            let mut sums = vec![0.5; expected_sums.len()];
            let input = InputGradient { weights, before: Activation::Relu, accumulate, dx: &mut dx };
            let weight = WeightGradient { accumulate, sums: &mut sums };
            conv::backward(conv, &case.x, &case.dy, Some(input), Some(weight), memory);
            assert_eq!((dx, sums), (expected, expected_sums), "{}", case.name());
        }
    }
}

#[test]
fn weight_gradients_are_summed_over_several_calls() {
    for case in Case::all().chain(large_cases()) {
        let conv = &case.conv;
        let once = case.backward_weight();
        let mut sums = vec![f32::NAN; conv::sums_len(conv)];
        let pictures = case.x.chunks(conv.in_len()).zip(case.dy.chunks(conv.out_len()));
        for (i, (x, dy)) in pictures.enumerate() {
            conv::backward_weight(conv, x, dy, i > 0, &memory(), &mut sums);
        }
        let (mut dw, mut db) = (vec![f32::NAN; conv.weights()], vec![f32::NAN; conv.out_c]);
        conv::finish_weight(conv, &sums, &mut dw, &mut db);
        let exact = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        assert_convolved(Some(case.conv), &dw, &exact(&once.0), &case.name());
        let size: f64 = case.dy.iter().map(|&dy| f64::from(dy.abs())).sum();
        assert!(db.iter().zip(&once.1).all(|(a, b)| f64::from((a - b).abs()) <= 5e-7 * size), "{}", case.name());
    }
}

#[test]
fn a_scale_multiplies_the_weights_of_its_channel() {
    for case in Case::all() {
        let conv = &case.conv;
        let scale = numbers(conv.out_c, 12);
        let row = conv.weights() / conv.out_c;
        let weight: Vec<_> = case.weight.iter().enumerate().map(|(i, w)| w * scale[i / row]).collect();
        let scaled = Case { weight, ..Case::new(*conv, case.batch) };
        let forward = ForwardWeights::pack(conv, &case.weight, Some(&scale), &memory());
        let mut y = vec![f32::NAN; case.dy.len()];
        conv::forward(&forward, &case.x, &case.bias, None, Activation::Relu, &memory(), &mut y);
        assert_eq!(y, scaled.forward(false, Activation::Relu), "{}", case.name());
        let backward = BackwardWeights::pack(conv, &case.weight, Some(&scale), &memory());
        let mut dx = vec![f32::NAN; case.x.len()];
        conv::backward_input(&backward, &case.dy, false, &memory(), &mut dx);
        assert_eq!(dx, scaled.backward_input(false), "{}", case.name());
    }
}

#[test]
fn threads_change_no_byte() {
    let on = |threads: usize, case: &Case| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let y = case.forward(true, Activation::Relu);
            (y, case.backward_input(false), case.backward_input(true), case.backward_weight())
        })
    };
    for case in large_cases() {
        let one = on(1, &case);
        assert!(one == on(2, &case), "{}", case.name());
        assert!(one == on(3, &case), "{}", case.name());
    }
}

#[test]
fn a_picture_is_the_same_in_any_batch() {
    for case in large_cases() {
        let y = case.forward(false, Activation::Relu);
        let dx = case.backward_input(false);
        let alone = |i: usize| Case {
            batch: 1,
            x: case.x.chunks(case.conv.in_len()).nth(i).unwrap().to_vec(),
            dy: case.dy.chunks(case.conv.out_len()).nth(i).unwrap().to_vec(),
            weight: case.weight.clone(),
            bias: case.bias.clone(),
            conv: case.conv,
        };
        for i in 0..case.batch {
            let one = alone(i);
            let expected = one.forward(false, Activation::Relu);
            assert!(y.chunks(expected.len()).nth(i).unwrap() == expected, "{}, picture {i}", case.name());
            let expected = one.backward_input(false);
            assert!(dx.chunks(expected.len()).nth(i).unwrap() == expected, "{}, picture {i}", case.name());
        }
    }
}
