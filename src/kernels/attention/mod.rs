//! Attention of several heads (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>): every token takes a mean of all tokens' values, weighed by how well
//! its query and their keys go together.
//!
//! The weights of all tokens on all tokens are never there as a whole, not even of one head: they are made tile by tile, and where the largest of a row
//! changes from one tile to the next, what is summed so far is scaled (Milakov & Gimelshein 2018, <https://arxiv.org/abs/1805.02867>; Dao et al. 2022,
//! <https://arxiv.org/abs/2205.14135>). Two numbers for each token and head are left of the way forward, and the way back makes the tiles again from them.
//!
//! All products are taken in `f32`.

mod backward;
mod forward;
mod softmax;
#[cfg(test)]
mod tests;

pub use backward::backward;
pub use forward::forward;

use super::gemm::Matrix;

/// The most queries of a tile.
const QUERIES: usize = 128;

/// The most keys of a tile. Its weights, 160 KiB, stay in the cache.
const KEYS: usize = 320;

/// Attention among the tokens of pictures of one size.
///
/// For each token there are `3 · channels` numbers, as one dense layer makes them: its query, its key and its value, each head by head, as in timm's
/// `Attention`. What comes out are `channels` numbers a token, head by head.
///
/// ```
/// use petal::kernels::{Attention, Memory, attention};
///
/// // Two tokens of one number each. The queries are 0, so all keys go equally well with them: each token takes the mean of both values.
/// let among = Attention { tokens: 2, channels: 1, heads: 1 };
/// let (qkv, mut y) = ([0.0, 5.0, 1.0, 0.0, -7.0, 3.0], [0.0; 2]);
/// attention::forward(&among, &qkv, &mut y, None, &Memory::default());
/// assert_eq!(y, [2.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Tokens of a picture.
    pub tokens: usize,
    /// Numbers of a token that come out: those of all heads together.
    pub channels: usize,
    /// Heads, which divide the channels evenly among them.
    pub heads: usize,
}

/// What a row of weights is made of.
#[derive(Clone, Copy)]
enum Part {
    Query,
    Key,
    Value,
}

impl Attention {
    /// Numbers a picture that [`forward`] leaves for [`backward`]: for each token and head the largest score, and one over the sum of the exponentials.
    ///
    /// ```
    /// assert_eq!(petal::kernels::Attention { tokens: 197, channels: 384, heads: 6 }.statistics(), 2 * 197 * 6);
    /// ```
    pub fn statistics(&self) -> usize {
        2 * self.tokens * self.heads
    }

    /// Numbers of a token in a head.
    fn width(&self) -> usize {
        self.channels / self.heads
    }

    /// What scores are multiplied by.
    fn scale(&self) -> f32 {
        1.0 / (self.width() as f32).sqrt()
    }

    /// Queries of a tile: tiles of nearly equal size.
    fn queries(&self) -> usize {
        even(self.tokens, QUERIES)
    }

    /// Keys of a tile.
    fn keys(&self) -> usize {
        even(self.tokens, KEYS)
    }

    /// All tokens' queries, keys or values of a head, `[tokens, width]`, of one picture.
    fn of<'a>(&self, qkv: &'a [f32], part: Part, head: usize) -> Matrix<'a> {
        let start = part as usize * self.channels + head * self.width();
        Matrix::new(qkv, self.tokens, 3 * self.channels).columns(start, start + self.width())
    }

    /// A head's part of what comes out, `[tokens, width]`, of one picture.
    fn of_output<'a>(&self, y: &'a [f32], head: usize) -> Matrix<'a> {
        let start = head * self.width();
        Matrix::new(y, self.tokens, self.channels).columns(start, start + self.width())
    }

    /// # Panics
    /// Where a size is zero, the heads do not divide the channels, or a slice has another length than the others say.
    fn check(&self, qkv: &[f32], y: &[f32], statistics: Option<&[f32]>) {
        let &Self { tokens, channels, heads } = self;
        assert!(tokens > 0 && heads > 0 && channels > 0 && channels.is_multiple_of(heads), "{self:?}");
        let pictures = y.len() / (tokens * channels);
        assert_eq!((qkv.len(), y.len()), (pictures * 3 * tokens * channels, pictures * tokens * channels), "{self:?}");
        assert!(statistics.is_none_or(|kept| kept.len() == pictures * self.statistics()), "statistics of {self:?}");
    }
}

/// The least number that `all` is divided into as few equal parts by as parts of at most `most` allow.
fn even(all: usize, most: usize) -> usize {
    all.div_ceil(all.div_ceil(most))
}
