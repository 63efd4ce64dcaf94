//! Sizes and padding of a convolution.

use crate::base::config::Precision;

/// How many rows and columns of zeros surround a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// No padding ("valid").
    pub const NONE: Self = Self::even(0);

    /// The same on all four sides, as in PyTorch.
    pub const fn even(p: usize) -> Self {
        Self { top: p, left: p, bottom: p, right: p }
    }

    /// TensorFlow's "same": the output has `ceil(in / stride)` rows and columns, and an odd row or column of padding goes
    /// below or to the right.
    pub fn same(in_h: usize, in_w: usize, kernel: usize, stride: usize) -> Self {
        let total = |n: usize| (n.div_ceil(stride).saturating_sub(1) * stride + kernel).saturating_sub(n);
        let (h, w) = (total(in_h), total(in_w));
        Self { top: h / 2, left: w / 2, bottom: h - h / 2, right: w - w / 2 }
    }
}

/// One convolution of pictures of one size, with a square kernel.
///
/// Weights are PyTorch's: `[out_c, in_c, kernel, kernel]`, or `[channels, 1, kernel, kernel]` where it is depthwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Rows of the input.
    pub in_h: usize,
    /// Columns of the input.
    pub in_w: usize,
    /// Channels of the input.
    pub in_c: usize,
    /// Channels of the output; equal to `in_c` where it is depthwise.
    pub out_c: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step between neighbouring outputs, in input pixels.
    pub stride: usize,
    /// Zeros around the input.
    pub pad: Padding,
    /// Whether each channel has a kernel of its own and meets no other.
    pub depthwise: bool,
    /// In what its products are taken. What is too little to multiply is taken in `f32` in any case.
    pub precision: Precision,
}

impl Conv {
    /// Rows of the output; none where the kernel has more than the padded picture.
    pub fn out_h(&self) -> usize {
        self.outputs(self.in_h + self.pad.top + self.pad.bottom)
    }

    /// Columns of the output; none where the kernel has more than the padded picture.
    pub fn out_w(&self) -> usize {
        self.outputs(self.in_w + self.pad.left + self.pad.right)
    }

    fn outputs(&self, padded: usize) -> usize {
        padded.checked_sub(self.kernel).map_or(0, |last| last / self.stride + 1)
    }

    /// How many numbers the weights hold.
    pub fn weights(&self) -> usize {
        self.out_c * self.depth()
    }

    /// How many numbers one input picture holds.
    pub fn in_len(&self) -> usize {
        self.in_h * self.in_w * self.in_c
    }

    /// How many numbers one output picture holds.
    pub fn out_len(&self) -> usize {
        self.out_h() * self.out_w() * self.out_c
    }

    /// How many inputs one output is made from.
    pub(in crate::kernels) fn depth(&self) -> usize {
        self.kernel * self.kernel * if self.depthwise { 1 } else { self.in_c }
    }

    /// Whether the input, as it lies in memory, is already the matrix to multiply.
    pub(in crate::kernels) fn is_pointwise(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.pad == Padding::NONE
    }

    /// The convolution that takes the gradient of the output to the gradient of the input, with the kernel turned by half
    /// a turn. There is one where the stride is 1 and the padding less than the kernel.
    pub(in crate::kernels) fn transposed(&self) -> Option<Self> {
        let last = self.kernel - 1;
        let Padding { top, left, bottom, right } = self.pad;
        let fits = self.stride == 1 && [top, left, bottom, right].iter().all(|&p| p <= last);
        fits.then(|| Self {
            in_h: self.out_h(),
            in_w: self.out_w(),
            in_c: self.out_c,
            out_c: self.in_c,
            pad: Padding { top: last - top, left: last - left, bottom: last - bottom, right: last - right },
            ..*self
        })
    }

    /// Which part `from..to` of the kernel lies on the picture, along an axis of `size` pixels with `pad` zeros before it,
    /// for output `o`.
    pub(in crate::kernels) fn on_picture(&self, o: usize, pad: usize, size: usize) -> (usize, usize) {
        let start = o * self.stride;
        let from = pad.saturating_sub(start).min(self.kernel);
        let to = (size + pad).saturating_sub(start).min(self.kernel);
        (from, to.max(from))
    }

    /// Checks what every function on this geometry relies on.
    ///
    /// # Panics
    /// Where a size is zero, the kernel is larger than the padded picture, or it is depthwise and the channels differ.
    pub(in crate::kernels) fn check(&self) {
        let Self { in_h, in_w, in_c, out_c, kernel, stride, pad, depthwise, .. } = *self;
        assert!([in_h, in_w, in_c, out_c, kernel, stride].iter().all(|&n| n > 0), "a size is zero: {self:?}");
        let (h, w) = (in_h + pad.top + pad.bottom, in_w + pad.left + pad.right);
        assert!(kernel <= h && kernel <= w, "the kernel is larger than the padded picture: {self:?}");
        assert!(!depthwise || in_c == out_c, "a depthwise convolution keeps its channels: {self:?}");
    }
}
