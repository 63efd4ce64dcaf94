//! How alike two maps are.

/// Spearman's rank correlation, −1 to 1, equal values having the mean of their ranks: `scipy.stats.spearmanr`. Where one of the two is the same
/// everywhere, nothing can be said, and it is 0.
///
/// ```
/// use petal::explain::similarity::rank_correlation;
///
/// // scipy.stats.spearmanr([1, 2, 2, 5, 0], [3, 1, 4, 4, 0]).statistic
/// assert!((rank_correlation(&[1., 2., 2., 5., 0.], &[3., 1., 4., 4., 0.]) - 0.763158).abs() < 1e-6);
/// assert_eq!(rank_correlation(&[1., 2.], &[7., 7.]), 0.0);
/// ```
pub fn rank_correlation(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() as f64 - 1.0) / 2.0;
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum::<f64>();
    let spread = (sum(&a, &a) * sum(&b, &b)).sqrt();
    if spread > 0.0 { sum(&a, &b) / spread } else { 0.0 }
}

/// The rank of each value, counted from 0; equal values have the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (equal.len() as f64 - 1.0) / 2.0;
        equal.iter().for_each(|&index| ranks[index] = rank);
        first += equal.len();
    }
    ranks
}

/// Structural similarity of two pictures of one channel, `width` values a row, from 0 to 1 (Wang et al. 2004): 1 for equal ones. As
/// `skimage.metrics.structural_similarity(a, b, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`. A picture has to be at least 11 × 11;
/// of a smaller one, it is 0.
///
/// ```
/// use petal::explain::similarity::ssim;
///
/// // y, x = numpy.mgrid[:16, :16]; a = (x * 7 + y * 3) % 16 / 15; b = (x * 7 + y * 5) % 16 / 15
/// let picture = |step: usize| (0..256).map(|i| ((i % 16 * 7 + i / 16 * step) % 16) as f32 / 15.0).collect::<Vec<_>>();
/// assert!((ssim(&picture(3), &picture(5), 16) - 0.1005186).abs() < 1e-5);
/// assert!((ssim(&picture(3), &picture(3), 16) - 1.0).abs() < 1e-12);
/// ```
pub fn ssim(a: &[f32], b: &[f32], width: usize) -> f64 {
    let height = a.len() / width.max(1);
    if width < 2 * RADIUS + 1 || height < 2 * RADIUS + 1 {
        return 0.0;
    }
    const C1: f64 = 0.01 * 0.01;
    const C2: f64 = 0.03 * 0.03;
    let product =
        |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).collect::<Vec<_>>();
    let plain = |x: &[f32]| x.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
    let [mean_a, mean_b, aa, bb, ab] =
        [plain(a), plain(b), product(a, a), product(b, b), product(a, b)].map(|values| smooth(&values, width));
    let (mut sum, mut count) = (0.0, 0usize);
    for y in RADIUS..height - RADIUS {
        for at in (y * width + RADIUS)..(y * width + width - RADIUS) {
            let (ma, mb) = (mean_a[at], mean_b[at]);
            let (va, vb, cov) = (aa[at] - ma * ma, bb[at] - mb * mb, ab[at] - ma * mb);
            sum += (2.0 * ma * mb + C1) * (2.0 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
            count += 1;
        }
    }
    sum / count as f64
}

/// A Gaussian of 1.5 pixels is cut at 3.5 times that.
const RADIUS: usize = 5;

/// Smoothed by a Gaussian. What lies nearer to the border than its radius is never asked for, and is left at 0.
fn smooth(values: &[f64], width: usize) -> Vec<f64> {
    let kernel: [f64; 2 * RADIUS + 1] = {
        let weight = |i: usize| (-(i as f64 - RADIUS as f64).powi(2) / (2.0 * 1.5 * 1.5)).exp();
        let sum: f64 = (0..2 * RADIUS + 1).map(weight).sum();
        std::array::from_fn(|i| weight(i) / sum)
    };
    let mut across = vec![0.0; values.len()];
    for (row, out) in values.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
        for (part, out) in row.windows(kernel.len()).zip(&mut out[RADIUS..]) {
            *out = part.iter().zip(&kernel).map(|(value, weight)| value * weight).sum();
        }
    }
    let mut both = vec![0.0; values.len()];
    for y in RADIUS..values.len() / width - RADIUS {
        for (row, weight) in kernel.iter().enumerate().map(|(i, weight)| (y + i - RADIUS, weight)) {
            let from = &across[row * width..][..width];
            both[y * width..][..width].iter_mut().zip(from).for_each(|(out, value)| *out += weight * value);
        }
    }
    both
}
