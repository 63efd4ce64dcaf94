//! A pair against its two convolutions one after the other.

use crate::kernels::conv::pair::{Gradients, Layer, backward, forward};
use crate::kernels::conv::{self, BackwardWeights, ForwardWeights, InputGradient, WeightGradient};
use crate::kernels::tests::{distance, numbers};
use crate::kernels::{Activation, Conv, Memory, Padding, Precision, backward_activation, forward_activation};

/// A pair with numbers to go through it.
struct Case {
    convs: [Conv; 2],
    packed: [ForwardWeights; 2],
    back: [BackwardWeights; 2],
    biases: [Vec<f32>; 2],
    x: Vec<f32>,
    dy: Vec<f32>,
}

/// Gradient of the input, sums of the pointwise convolution, sums of the depthwise one.
type Results = [Vec<f32>; 3];

impl Case {
    fn new(
        (in_h, in_w): (usize, usize),
        [in_c, channels]: [usize; 2],
        [kernel, stride]: [usize; 2],
        precision: Precision,
    ) -> Self {
        let pad = Padding::NONE;
        let first = Conv { in_h, in_w, in_c, out_c: channels, kernel: 1, stride: 1, pad, depthwise: false, precision };
        let pad = Padding::same(in_h, in_w, kernel, stride);
        let second = Conv { in_c: channels, kernel, stride, pad, depthwise: true, ..first };
        let (convs, memory) = ([first, second], Memory::default());
        let weights = convs.map(|conv| numbers(conv.weights(), conv.kernel as u64));
        let pairs = || convs.iter().zip(&weights);
        let mut packed = pairs().map(|(conv, weight)| ForwardWeights::pack(conv, weight, None, &memory));
        let mut back = pairs().map(|(conv, weight)| BackwardWeights::pack(conv, weight, None, &memory));
        Self {
            packed: std::array::from_fn(|_| packed.next().unwrap()),
            back: std::array::from_fn(|_| back.next().unwrap()),
            biases: [5, 6].map(|seed| numbers(channels, seed)),
            x: numbers(3 * first.in_len(), 7),
            dy: numbers(3 * second.out_len(), 8),
            convs,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let of = |precision| {
            [
                Self::new((70, 61), [5, 64], [3, 1], precision),
                Self::new((63, 80), [16, 37], [3, 2], precision),
                Self::new((41, 83), [24, 80], [5, 2], precision),
                Self::new((40, 41), [33, 96], [5, 1], precision),
                Self::new((3, 2), [8, 19], [3, 1], precision),
            ]
        };
        [Precision::F32, Precision::Bf16].into_iter().flat_map(of)
    }

    /// How far sums may be apart that are made in another order: before a number is rounded to bf16 its last bit decides, now and then.
    fn tolerance(&self) -> f64 {
        if self.convs[0].precision == Precision::F32 { 2e-6 } else { 1e-3 }
    }

    fn layers(&self) -> [Layer<'_>; 2] {
        self.layers_with([Activation::Relu6, Activation::Relu])
    }

    fn layers_with(&self, acts: [Activation; 2]) -> [Layer<'_>; 2] {
        std::array::from_fn(|i| Layer { weights: &self.packed[i], bias: &self.biases[i], act: acts[i] })
    }

    fn forward(&self, residual: bool) -> Vec<f32> {
        let mut y = vec![f32::NAN; self.dy.len()];
        forward(self.layers(), &self.x, residual.then_some(&self.dy[..]), &Memory::default(), &mut y);
        y
    }

    /// Layer by layer: what lies between, and the output.
    fn forward_apart(&self, residual: bool) -> [Vec<f32>; 2] {
        let ([first, second], memory) = (self.layers(), &Memory::default());
        let mut between = vec![f32::NAN; 3 * self.convs[1].in_len()];
        conv::forward(first.weights, &self.x, first.bias, None, first.act, memory, &mut between);
        let mut y = vec![f32::NAN; self.dy.len()];
        let residual = residual.then_some(&self.dy[..]);
        conv::forward(second.weights, &between, second.bias, residual, second.act, memory, &mut y);
        [between, y]
    }

    /// What gradients start from: they are added to it where they accumulate.
    fn start(&self) -> Results {
        let [first, second] = &self.convs;
        [vec![0.5; self.x.len()], vec![0.5; conv::sums_len(first)], vec![0.5; conv::sums_len(second)]]
    }

    fn backward(&self, asked: [bool; 3], accumulate: bool) -> Results {
        let mut to = self.start();
        let [dx, first, second] = &mut to;
        let through = asked[0] || asked[1];
        let before = Activation::Relu;
        let wanted = Gradients {
            depthwise: through.then_some(&self.back[1]),
            input: asked[0].then_some(InputGradient { weights: &self.back[0], before, accumulate, dx }),
            pointwise_sums: asked[1].then_some(WeightGradient { accumulate, sums: first }),
            depthwise_sums: asked[2].then_some(WeightGradient { accumulate, sums: second }),
        };
        backward(self.layers()[0], &self.convs[1], &self.x, &self.dy, wanted, &Memory::default());
        to
    }

    fn backward_apart(&self, accumulate: bool) -> Results {
        let mut to = self.start();
        let [dx, first, second] = &mut to;
        let (between, memory) = (&self.forward_apart(false)[0], &Memory::default());
        let mut inner = vec![f32::NAN; between.len()];
        let (weights, before) = (&self.back[1], Activation::Relu6);
        let input = InputGradient { weights, before, accumulate: false, dx: &mut inner };
        let sums = WeightGradient { accumulate, sums: second };
        conv::backward(&self.convs[1], between, &self.dy, Some(input), Some(sums), memory);
        let input = InputGradient { weights: &self.back[0], before: Activation::Relu, accumulate, dx };
        let sums = WeightGradient { accumulate, sums: first };
        conv::backward(&self.convs[0], &self.x, &inner, Some(input), Some(sums), memory);
        to
    }
}

#[test]
fn forward_gives_the_same_bytes_as_one_after_the_other() {
    for case in Case::all() {
        for residual in [false, true] {
            assert!(case.forward(residual) == case.forward_apart(residual)[1], "{:?}", case.convs);
        }
    }
}

#[test]
fn backward_gives_the_same_as_one_after_the_other() {
    let exact = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    for case in Case::all() {
        for accumulate in [false, true] {
            let expected = case.backward_apart(accumulate);
            for asked in [[true; 3], [true, false, true], [false, true, false], [false, false, true]] {
                let got = case.backward(asked, accumulate);
                for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
                    match (asked[i], i) {
                        (false, _) => assert!(got.iter().all(|&v| v == 0.5), "not asked for"),
                        (true, 0) => assert!(got == expected, "{:?}", case.convs),
                        // Strips are added in another order than the batch.
                        (true, _) => {
                            let distance = distance(got, &exact(expected));
                            assert!(distance < case.tolerance(), "{i}: {distance:e}, {:?}", case.convs);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn threads_change_no_byte() {
    let on = |threads: usize, case: &Case| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (case.forward(true), case.backward([true; 3], true)))
    };
    for case in Case::all() {
        assert!(on(1, &case) == on(3, &case), "{:?}", case.convs);
    }
}

#[test]
fn smooth_activations_are_taken_too() {
    let memory = &Memory::default();
    for (case, act) in Case::all().zip([Activation::Silu, Activation::HardSwish, Activation::Gelu].iter().cycle()) {
        let (layers, [first, second]) = (case.layers_with([*act, *act]), &case.convs);
        let (mut went_in, mut between) = (vec![0.0; 3 * second.in_len()], vec![0.0; 3 * second.in_len()]);
        conv::forward(&case.packed[0], &case.x, &case.biases[0], None, Activation::None, memory, &mut went_in);
        conv::forward(&case.packed[0], &case.x, &case.biases[0], None, *act, memory, &mut between);
        let mut made = vec![0.0; went_in.len()];
        forward_activation(*act, &went_in, &mut made);
        assert!(made == between, "{act:?}, dense: {first:?}");
        let (mut y, mut together) = (case.dy.clone(), case.dy.clone());
        conv::forward(&case.packed[1], &between, &case.biases[1], None, Activation::None, memory, &mut y);
        let mut expected = vec![0.0; y.len()];
        forward_activation(*act, &y, &mut expected);
        conv::forward(&case.packed[1], &between, &case.biases[1], None, *act, memory, &mut y);
        assert!(y == expected, "{act:?}, depthwise: {second:?}");
        forward(layers, &case.x, None, memory, &mut together);
        assert!(together == expected, "{act:?}, pair: {second:?}");

        let (mut inner, mut expected) = (vec![0.0; between.len()], vec![0.0; case.x.len()]);
        conv::backward_input(&case.back[1], &case.dy, false, memory, &mut inner);
        backward_activation(*act, &went_in, &mut inner);
        conv::backward_input(&case.back[0], &inner, false, memory, &mut expected);
        let mut dx = vec![f32::NAN; case.x.len()];
        let input = InputGradient { weights: &case.back[0], before: Activation::None, accumulate: false, dx: &mut dx };
        let wanted = Gradients { depthwise: Some(&case.back[1]), input: Some(input), ..Gradients::default() };
        backward(layers[0], second, &case.x, &case.dy, wanted, memory);
        assert!(dx == expected, "{act:?}, gradient: {second:?}");
    }
}
