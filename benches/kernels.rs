//! How fast the kernels are, one by one, for layers of ResNet-50, EfficientNet-Lite0 and ConvNeXt.
//!
//! Convolutions and dense layers count two operations for each weight that meets a pixel, so that criterion's "Gelem/s" are GFLOP/s, also where Winograd
//! takes fewer. What is bound by memory counts the bytes that it has to move.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use half::f16;
use petal::kernels::{
    Activation, Conv, MaxPool, Memory, Padding, Precision,
    adam::Adam,
    conv::{
        self, BackwardWeights, ForwardWeights, InputGradient, WeightGradient,
        pair::{self, Gradients, Layer},
    },
    forward_activation, half_floats, layer_norm, linear, pool,
};
use petal::{Purpose, Seed};

/// Pictures a call: few, as in training, which goes through few at a time.
const BATCH: usize = 8;

/// Numbers from -1 to 1. Not zeros, and none so small that the processor slows down.
fn numbers(len: usize) -> Vec<f32> {
    let mut stream = Seed(0).stream(Purpose::Examples, 0, 0);
    (0..len).map(|_| stream.range(-1.0, 1.0) as f32).collect()
}

/// A square convolution of pictures of `side`² pixels, with padding that keeps their size but for the stride.
fn square(side: usize, in_c: usize, out_c: usize, kernel: usize, stride: usize) -> Conv {
    let pad = Padding::even(kernel / 2);
    Conv { in_h: side, in_w: side, in_c, out_c, kernel, stride, pad, depthwise: false, precision: Precision::F32 }
}

/// A depthwise one, with TensorFlow's padding.
fn depthwise(side: usize, channels: usize, kernel: usize, stride: usize) -> Conv {
    let pad = Padding::same(side, side, kernel, stride);
    Conv { pad, depthwise: true, ..square(side, channels, channels, kernel, stride) }
}

fn convolutions(c: &mut Criterion) {
    let resnet50 = [
        square(224, 3, 64, 7, 2),
        square(56, 64, 256, 1, 1),
        square(28, 512, 128, 1, 1),
        square(14, 256, 1024, 1, 1),
        square(7, 2048, 512, 1, 1),
        square(56, 64, 64, 3, 1),
        square(28, 128, 128, 3, 1),
        square(14, 256, 256, 3, 1),
        square(7, 512, 512, 3, 1),
        square(56, 128, 128, 3, 2),
    ];
    let lite0 = [
        depthwise(112, 32, 3, 1),
        depthwise(112, 96, 3, 2),
        depthwise(56, 144, 5, 2),
        depthwise(28, 240, 5, 1),
        depthwise(28, 240, 3, 2),
        depthwise(14, 480, 3, 1),
        depthwise(7, 1152, 5, 1),
    ];
    let convnext = [
        Conv { pad: Padding::NONE, ..square(224, 3, 96, 4, 4) },
        depthwise(56, 40, 7, 1),
        depthwise(56, 96, 7, 1),
        depthwise(14, 384, 7, 1),
        depthwise(7, 768, 7, 1),
    ];
    for (network, convs) in [("resnet50", &resnet50[..]), ("lite0", &lite0), ("convnext", &convnext)] {
        for conv in convs {
            let Conv { in_h, in_c, out_c, kernel, stride, .. } = *conv;
            let name = format!("{network} {kernel}x{kernel} stride {stride}, {in_c} to {out_c}, {in_h}x{in_h}");
            convolution(&mut c.benchmark_group(name), conv);
        }
    }
}

fn convolution(group: &mut BenchmarkGroup<WallTime>, conv: &Conv) {
    let memory = Memory::default();
    let (weight, bias) = (numbers(conv.weights()), numbers(conv.out_c));
    let (x, dy) = (numbers(BATCH * conv.in_len()), numbers(BATCH * conv.out_len()));
    let (mut y, mut dx, mut sums) = (dy.clone(), x.clone(), vec![0.0; conv::sums_len(conv)]);
    let pixels = BATCH * conv.out_h() * conv.out_w();
    group.throughput(Throughput::Elements((2 * pixels * conv.weights()) as u64));
    let packed = ForwardWeights::pack(conv, &weight, None, &memory);
    group.bench_function("forward", |b| {
        b.iter(|| conv::forward(&packed, &x, &bias, None, Activation::Relu, &memory, black_box(&mut y)));
    });
    let packed = BackwardWeights::pack(conv, &weight, None, &memory);
    group.bench_function("backward input", |b| {
        b.iter(|| conv::backward_input(&packed, &dy, false, &memory, black_box(&mut dx)));
    });
    group.bench_function("backward weight", |b| {
        b.iter(|| conv::backward_weight(conv, &x, &dy, false, &memory, black_box(&mut sums)));
    });
}

/// A pointwise and a depthwise convolution as one.
fn pairs(c: &mut Criterion) {
    for (side, in_c, channels, kernel, stride) in [(112, 16, 96, 3, 2), (56, 24, 144, 3, 1), (28, 40, 240, 5, 1)] {
        let convs = [square(side, in_c, channels, 1, 1), depthwise(side, channels, kernel, stride)];
        let memory = Memory::default();
        let [first, second] = convs.map(|conv| (numbers(conv.weights()), numbers(conv.out_c)));
        let packed = [(&convs[0], &first), (&convs[1], &second)].map(|(conv, (weight, _))| {
            (ForwardWeights::pack(conv, weight, None, &memory), BackwardWeights::pack(conv, weight, None, &memory))
        });
        let act = Activation::Relu6;
        let layers = [
            Layer { weights: &packed[0].0, bias: &first.1, act },
            Layer { weights: &packed[1].0, bias: &second.1, act },
        ];
        let (x, dy) = (numbers(BATCH * convs[0].in_len()), numbers(BATCH * convs[1].out_len()));
        let (mut y, mut dx) = (dy.clone(), x.clone());
        let mut sums = convs.map(|conv| vec![0.0; conv::sums_len(&conv)]);
        let name =
            format!("lite0 expansion, {in_c} to {channels}, then {kernel}x{kernel} stride {stride}, {side}x{side}");
        let mut group = c.benchmark_group(name);
        let operations = |conv: &Conv| 2 * BATCH * conv.out_h() * conv.out_w() * conv.weights();
        group.throughput(Throughput::Elements(convs.iter().map(operations).sum::<usize>() as u64));
        group.bench_function("forward", |b| b.iter(|| pair::forward(layers, &x, None, &memory, black_box(&mut y))));
        group.bench_function("backward, all of it", |b| {
            b.iter(|| {
                let [first, second] = &mut sums;
                let (accumulate, before) = (false, Activation::None);
                let wanted = Gradients {
                    depthwise: Some(&packed[1].1),
                    input: Some(InputGradient { weights: &packed[0].1, before, accumulate, dx: black_box(&mut dx) }),
                    pointwise_sums: Some(WeightGradient { accumulate, sums: first }),
                    depthwise_sums: Some(WeightGradient { accumulate, sums: second }),
                };
                pair::backward(layers[0], &convs[1], &x, &dy, wanted, &memory);
            });
        });
    }
}

fn pooling(c: &mut Criterion) {
    let max = MaxPool { in_h: 112, in_w: 112, channels: 64, kernel: 3, stride: 2, pad: 1 };
    let (x, dy) = (numbers(BATCH * max.in_len()), numbers(BATCH * max.out_len()));
    let (mut y, mut places, mut dx) = (dy.clone(), dy.clone(), x.clone());
    let mut group = c.benchmark_group("max pooling 3x3 stride 2, 64, 112x112");
    group.throughput(bytes(x.len() + 2 * y.len()));
    group.bench_function("forward", |b| {
        b.iter(|| pool::max_pool_forward(&max, &x, black_box(&mut y), Some(black_box(&mut places))));
    });
    group.throughput(bytes(x.len() + 3 * dy.len()));
    group.bench_function("backward", |b| {
        b.iter(|| pool::max_pool_backward(&max, &y, &places, &dy, Activation::Relu, black_box(&mut dx)));
    });
    group.finish();

    let (positions, channels) = (7 * 7, 2048);
    let (x, dy) = (numbers(BATCH * positions * channels), numbers(BATCH * channels));
    let (mut y, mut dx) = (dy.clone(), x.clone());
    let mut group = c.benchmark_group("average pooling, 2048, 7x7");
    group.throughput(bytes(x.len() + y.len()));
    group.bench_function("forward", |b| {
        b.iter(|| pool::average_pool_forward(positions, channels, &x, black_box(&mut y)));
    });
    group.bench_function("backward", |b| {
        b.iter(|| pool::average_pool_backward(positions, channels, &dy, black_box(&mut dx)));
    });
}

fn layer_norms(c: &mut Criterion) {
    let memory = Memory::default();
    for (side, channels) in [(56, 40), (56, 96), (14, 384)] {
        let (positions, len) = (BATCH * side * side, BATCH * side * side * channels);
        let (x, dy, gamma, beta) = (numbers(len), numbers(len), numbers(channels), numbers(channels));
        let (mut y, mut kept) = (x.clone(), vec![0.0; 2 * positions]);
        let (mut dx, mut sums) = (x.clone(), vec![0.0; 2 * channels]);
        let mut group = c.benchmark_group(format!("layer norm, {channels}, {side}x{side}"));
        group.throughput(bytes(2 * len));
        group.bench_function("forward", |b| {
            b.iter(|| layer_norm::forward(&gamma, &beta, 1e-6, &x, black_box(&mut y), Some(&mut kept)));
        });
        group.throughput(bytes(3 * len));
        group.bench_function("backward", |b| {
            b.iter(|| {
                let (input, weights) = (Some((false, black_box(&mut dx[..]))), Some((false, &mut sums[..])));
                layer_norm::backward(&gamma, &x, &kept, &dy, layer_norm::Gradients { input, weights }, &memory);
            });
        });
    }
}

fn dense(c: &mut Criterion) {
    const BATCH: usize = 32;
    for (name, inputs, outputs) in [("head", 2048, 256), ("baseline", 86_528, 128)] {
        let (x, dy) = (numbers(BATCH * inputs), numbers(BATCH * outputs));
        let (weight, bias) = (numbers(inputs * outputs), numbers(outputs));
        let (mut y, mut dx, mut dw, mut db) = (dy.clone(), x.clone(), weight.clone(), bias.clone());
        let mut group = c.benchmark_group(format!("dense, {name}, {inputs} to {outputs}, batch {BATCH}"));
        group.throughput(Throughput::Elements((2 * BATCH * inputs * outputs) as u64));
        group.bench_function("forward", |b| b.iter(|| linear::forward(inputs, &x, &weight, &bias, black_box(&mut y))));
        group.bench_function("backward input", |b| {
            b.iter(|| linear::backward_input(inputs, &dy, &weight, black_box(&mut dx)));
        });
        group.bench_function("backward weight", |b| {
            b.iter(|| linear::backward_weight(inputs, &x, &dy, black_box(&mut dw), black_box(&mut db)));
        });
    }
}

fn elementwise(c: &mut Criterion) {
    const LEN: usize = 1 << 22;
    let (g, mut p, mut m) = (numbers(LEN), numbers(LEN), numbers(LEN));
    let mut v: Vec<f32> = m.iter().map(|m| m.abs()).collect();
    let mut group = c.benchmark_group("4 million numbers");
    let mut y = g.clone();
    group.throughput(bytes(2 * LEN));
    group.bench_function("GELU", |b| b.iter(|| forward_activation(Activation::Gelu, &g, black_box(&mut y))));
    // Each of three is read and written, the gradient is read.
    group.throughput(bytes(7 * LEN));
    // A step so small that the numbers stay what they are.
    let adam = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, step: 1e-9, root: 1.0 };
    group.bench_function("Adam", |b| b.iter(|| adam.update(black_box(&mut p), &mut m, &mut v, &g)));
    let mut halves = vec![f16::ZERO; LEN];
    let mut back = g.clone();
    group.throughput(Throughput::Bytes(6 * LEN as u64));
    group.bench_function("f32 to f16", |b| b.iter(|| half_floats::to_f16(&g, black_box(&mut halves))));
    group.bench_function("f16 to f32", |b| b.iter(|| half_floats::from_f16(&halves, black_box(&mut back))));
}

fn bytes(floats: usize) -> Throughput {
    Throughput::Bytes(4 * floats as u64)
}

criterion_group! {
    name = kernels;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500));
    targets = convolutions, pairs, pooling, layer_norms, dense, elementwise
}
criterion_main!(kernels);
