//! Which algorithm computes a convolution, forward and backward: the one place that decides it, by the geometry alone.
//!
//! What is decided here is kept with the packed weights, since it is also the order that they are packed in.

use super::geometry::Conv;

/// Channels in a vector: what Winograd and the direct way take at once.
const LANES: usize = 16;

/// Winograd's tiles of the output are of this side: smaller pictures would be mostly padding.
const WINOGRAD_TILE: usize = 4;

/// The most weights for which reading Winograd's transformed ones, or the sums of their gradients, four times as many, costs less than
/// is saved.
const WINOGRAD_WEIGHTS: usize = 512 * 512;

/// The most inputs of an output for which there is too little to multiply.
const DIRECT_DEPTH: usize = 160;

/// The most weights of a pointwise convolution whose gradients are made together: sums so small stay in the cache as well.
const ONE_PASS_WEIGHTS: usize = 1 << 16;

/// The most output channels of one.
const ONE_PASS_CHANNELS: usize = 128;

/// The fewest numbers of a picture between a pointwise and a depthwise convolution for which making both as one is the faster way: less
/// stays in the cache anyway.
const MIN_BETWEEN: usize = 150_000;

/// How a convolution is computed in which every output channel sees every input channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dense {
    /// 3×3 with a quarter of the multiplications.
    Winograd,
    /// Straight from a picture of few channels.
    Direct,
    /// Patches times weights.
    Im2col,
}

/// How a convolution and the gradient of its weights are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forward {
    /// Weighted sums, channel by channel.
    Depthwise,
    /// One of the ways of a dense one.
    Dense(Dense),
}

/// How the gradient of the input is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backward {
    /// Weighted sums, channel by channel.
    Depthwise,
    /// As the convolution that takes the gradient back, one of stride 1, is computed.
    Transposed(Conv, Dense),
    /// Patch by patch, each added to where it was: any stride and padding.
    Scatter,
}

impl Dense {
    /// The way of a convolution that is not depthwise.
    fn of(conv: &Conv) -> Self {
        let &Conv { in_c, out_c, kernel, stride, .. } = conv;
        let whole = out_c.is_multiple_of(LANES);
        let large = conv.out_h().min(conv.out_w()) > WINOGRAD_TILE && in_c * out_c <= WINOGRAD_WEIGHTS;
        if kernel == 3 && stride == 1 && whole && in_c.is_multiple_of(LANES) && large {
            Self::Winograd
        } else if kernel > 1 && whole && conv.depth() <= DIRECT_DEPTH {
            Self::Direct
        } else {
            Self::Im2col
        }
    }
}

impl Forward {
    /// How `conv` is computed.
    pub(super) fn of(conv: &Conv) -> Self {
        if conv.depthwise { Self::Depthwise } else { Self::Dense(Dense::of(conv)) }
    }
}

impl Backward {
    /// How the gradient of `conv`'s input is computed.
    pub(super) fn of(conv: &Conv) -> Self {
        match conv.transposed() {
            _ if conv.depthwise => Self::Depthwise,
            Some(transposed) => Self::Transposed(transposed, Dense::of(&transposed)),
            None => Self::Scatter,
        }
    }
}

/// Whether both gradients of `conv` are made in one pass over its input.
pub(super) fn in_one_pass(conv: &Conv) -> bool {
    let small = conv.weights() <= ONE_PASS_WEIGHTS && conv.out_c <= ONE_PASS_CHANNELS;
    conv.depthwise || (conv.is_pointwise() && small)
}

/// Whether `depthwise`, behind `pointwise`, is faster together with it. Depends on the geometry alone.
///
/// ```
/// use petal::kernels::{Conv, Padding, Precision, conv::pair};
///
/// let pointwise = |side, in_c, out_c| {
///     Conv { in_h: side, in_w: side, in_c, out_c, kernel: 1, stride: 1, pad: Padding::NONE, depthwise: false, precision: Precision::F32 }
/// };
/// let depthwise = |side, channels| Conv { kernel: 3, pad: Padding::even(1), depthwise: true, ..pointwise(side, channels, channels) };
/// assert!(pair::suits(&pointwise(56, 24, 144), &depthwise(56, 144)));
/// assert!(!pair::suits(&pointwise(14, 112, 672), &depthwise(14, 672)));
/// ```
pub fn suits(pointwise: &Conv, depthwise: &Conv) -> bool {
    let is_pair = pointwise.is_pointwise() && !pointwise.depthwise && depthwise.depthwise;
    is_pair && pointwise.out_len() == depthwise.in_len() && depthwise.in_len() >= MIN_BETWEEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Precision;
    use crate::kernels::conv::Padding;

    /// A square convolution; `kernel` and `stride`.
    fn dense(side: usize, in_c: usize, out_c: usize, (kernel, stride): (usize, usize), pad: usize) -> Conv {
        let pad = Padding::even(pad);
        Conv { in_h: side, in_w: side, in_c, out_c, kernel, stride, pad, depthwise: false, precision: Precision::F32 }
    }

    #[test]
    fn what_each_shape_takes() {
        use Dense::{Direct, Im2col, Winograd};
        // Of the input's gradient: the way of the transposed convolution; none where it is scattered.
        for (conv, forward, backward, one_pass) in [
            // ResNet: stems, pointwise, strided, 3×3 of each stage.
            (dense(224, 3, 64, (7, 2), 3), Direct, None, false),
            (dense(224, 3, 32, (3, 1), 0), Direct, Some(Im2col), false),
            (dense(56, 64, 64, (1, 1), 0), Im2col, Some(Im2col), true),
            (dense(56, 64, 256, (1, 1), 0), Im2col, Some(Im2col), false),
            (dense(28, 512, 128, (1, 1), 0), Im2col, Some(Im2col), true),
            (dense(28, 640, 128, (1, 1), 0), Im2col, Some(Im2col), false),
            (dense(56, 256, 512, (1, 2), 0), Im2col, None, false),
            (dense(56, 128, 128, (3, 2), 1), Im2col, None, false),
            (dense(56, 64, 64, (3, 1), 1), Winograd, Some(Winograd), false),
            (dense(14, 256, 256, (3, 1), 1), Winograd, Some(Winograd), false),
            (dense(7, 512, 512, (3, 1), 1), Winograd, Some(Winograd), false),
            // Too small a picture, too many weights, channels that are no whole vectors.
            (dense(4, 512, 512, (3, 1), 1), Im2col, Some(Im2col), false),
            (dense(14, 1024, 1024, (3, 1), 1), Im2col, Some(Im2col), false),
            (dense(28, 72, 72, (3, 1), 1), Im2col, Some(Im2col), false),
            // The picture gets smaller, so that only the way back has enough of it.
            (dense(6, 32, 32, (3, 1), 0), Im2col, Some(Winograd), false),
            // Few inputs: straight from the picture, forward or back.
            (dense(9, 16, 16, (3, 1), 1), Winograd, Some(Winograd), false),
            (dense(9, 16, 3, (3, 1), 1), Im2col, Some(Direct), false),
            (dense(9, 17, 16, (3, 1), 1), Direct, Some(Im2col), false),
            (dense(9, 18, 16, (3, 1), 1), Im2col, Some(Im2col), false),
            // More padding than kernel: nothing goes back by a convolution.
            (dense(4, 2, 3, (1, 1), 1), Im2col, None, false),
        ] {
            assert_eq!(Forward::of(&conv), Forward::Dense(forward), "{conv:?}");
            let back = match Backward::of(&conv) {
                Backward::Transposed(_, dense) => Some(dense),
                Backward::Scatter => None,
                Backward::Depthwise => panic!("{conv:?}"),
            };
            assert_eq!((back, in_one_pass(&conv)), (backward, one_pass), "{conv:?}");
        }
    }

    #[test]
    fn depthwise_ones_have_their_own() {
        for stride in [1, 2] {
            let conv = Conv { depthwise: true, ..dense(28, 240, 240, (5, stride), 2) };
            assert_eq!((Forward::of(&conv), Backward::of(&conv)), (Forward::Depthwise, Backward::Depthwise));
            assert!(in_one_pass(&conv));
        }
    }

    #[test]
    fn large_pairs_only() {
        let pair = |side: usize, in_c, channels| {
            let first = dense(side, in_c, channels, (1, 1), 0);
            let second = Conv { depthwise: true, ..dense(side, channels, channels, (3, 1), 1) };
            [suits(&first, &second), suits(&second, &first), suits(&second, &second)]
        };
        assert_eq!(pair(56, 24, 144), [true, false, false]);
        assert_eq!(pair(14, 112, 672), [false; 3]);
    }
}
