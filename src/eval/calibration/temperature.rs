//! Temperature scaling: one number that logits are divided by (Guo et al. 2017, arXiv:1706.04599).

use crate::models::Temperature;

/// Temperatures that are looked at.
const RANGE: (f64, f64) = (0.05, 20.0);
/// Parts of the photos, each of which is told by the temperature of the others.
const FOLDS: usize = 5;

/// The temperature with the lowest cross-entropy of these photos, by bisection: the cross-entropy is convex in its inverse. Its interval is the sandwich
/// estimate's, on the logarithm (White 1982).
///
/// Val is small where the temperature that some of its photos give is no better for the others than none: below some hundred photos, few of which are
/// wrong. So each fifth of the photos (the i-th photo is in part i mod 5) is told by the temperature of the other four, and where that doesn't lower
/// the cross-entropy, or every photo is so right that there is no lowest one, the temperature is 1.
///
/// `logits` is `[N][K]`, `targets` `[N]`. Nothing is known of no photos: then it is 1, too.
pub fn fit(logits: &[Vec<f32>], targets: &[usize]) -> Temperature {
    let all: Vec<usize> = (0..logits.len().min(targets.len())).collect();
    let photos = Photos { logits, targets };
    let fitted = photos.best(&all);
    let told = |fold: usize| {
        let (own, others): (Vec<usize>, Vec<usize>) = all.iter().partition(|&&photo| photo % FOLDS == fold);
        let temperature = photos.best(&others).unwrap_or(1.0);
        photos.loss(&own, temperature)
    };
    let loss_raw = photos.loss(&all, 1.0) / all.len().max(1) as f64;
    let loss_out_of_fold = (0..FOLDS).map(told).sum::<f64>() / all.len().max(1) as f64;
    let value = fitted.filter(|_| loss_out_of_fold < loss_raw).unwrap_or(1.0);
    let (low, high) = fitted.map_or(RANGE, |fitted| photos.interval(&all, fitted));
    Temperature { value, fitted: fitted.unwrap_or(1.0), low, high, photos: all.len(), loss_raw, loss_out_of_fold }
}

/// Probabilities of logits at a temperature, in f64 inside. The first class of the highest logit stays the one of the highest probability, also where
/// rounding would make two alike.
///
/// ```
/// use petal::eval::calibration::temperature::tempered;
///
/// // torch.tensor([2., 1., -1.]).div(2).softmax(0)
/// let probabilities = tempered(&[2.0, 1.0, -1.0], 2.0);
/// let expected = [0.546_549_4, 0.331_498_9, 0.121_951_6];
/// assert!(probabilities.iter().zip(expected).all(|(p, e): (&f32, f32)| (p - e).abs() < 1e-6));
/// ```
pub fn tempered(logits: &[f32], temperature: f64) -> Vec<f32> {
    let mut told: Vec<f32> = softmax(logits, 1.0 / temperature).into_iter().map(|p| p as f32).collect();
    let (first, now) = (first_of_most(logits), first_of_most(&told));
    if first != now {
        // A step of the last bit; their sum stays 1 within rounding.
        told[first] = told[now].next_up();
    }
    told
}

/// What probabilities at a temperature were at the temperature 1.
///
/// ```
/// use petal::eval::calibration::temperature::{raw, tempered};
///
/// let (there, back) = (tempered(&[2.0, 1.0, -1.0], 1.0), raw(&tempered(&[2.0, 1.0, -1.0], 1.7), 1.7));
/// assert!(there.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-6));
/// ```
pub fn raw(probabilities: &[f32], temperature: f64) -> Vec<f32> {
    let logits: Vec<f32> = probabilities.iter().map(|p| p.max(f32::MIN_POSITIVE).ln()).collect();
    tempered(&logits, 1.0 / temperature)
}

fn first_of_most(numbers: &[f32]) -> usize {
    let more = |best: usize, next: usize| if numbers[next] > numbers[best] { next } else { best };
    (1..numbers.len()).fold(0, more)
}

fn softmax(logits: &[f32], scale: f64) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&z| (scale * (f64::from(z) - f64::from(most))).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// Logits with their true classes.
struct Photos<'a> {
    logits: &'a [Vec<f32>],
    targets: &'a [usize],
}

impl Photos<'_> {
    /// Of one photo the loss, and its first and second derivative by the inverse of the temperature.
    fn of(&self, photo: usize, inverse: f64) -> (f64, f64, f64) {
        let (logits, target) = (&self.logits[photo], self.targets[photo]);
        let told = softmax(logits, inverse);
        let mean: f64 = told.iter().zip(logits).map(|(p, &z)| p * f64::from(z)).sum();
        let variance: f64 = told.iter().zip(logits).map(|(p, &z)| p * (f64::from(z) - mean).powi(2)).sum();
        (-told[target].max(f64::MIN_POSITIVE).ln(), mean - f64::from(logits[target]), variance)
    }

    fn loss(&self, photos: &[usize], temperature: f64) -> f64 {
        photos.iter().map(|&photo| self.of(photo, 1.0 / temperature).0).sum()
    }

    /// The best temperature; none where there is none within the range.
    fn best(&self, photos: &[usize]) -> Option<f64> {
        let slope = |inverse: f64| photos.iter().map(|&photo| self.of(photo, inverse).1).sum::<f64>();
        let (mut low, mut high) = (1.0 / RANGE.1, 1.0 / RANGE.0);
        if photos.is_empty() || !(slope(low) < 0.0 && slope(high) > 0.0) {
            return None;
        }
        // Of 20 to the last bit of an f64 in 60 halvings; a million times less is more than enough.
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            *(if slope(middle) < 0.0 { &mut low } else { &mut high }) = middle;
        }
        Some(2.0 / (low + high))
    }

    fn interval(&self, photos: &[usize], temperature: f64) -> (f64, f64) {
        let each = photos.iter().map(|&photo| self.of(photo, 1.0 / temperature));
        let (squares, curvature) = each.fold((0.0, 0.0), |(s, c), (_, slope, curve)| (s + slope * slope, c + curve));
        let error = if curvature > 0.0 { squares.sqrt() / curvature * temperature } else { f64::INFINITY };
        let factor = (1.959_963_984_540_054 * error).min(RANGE.1.ln()).exp();
        ((temperature / factor).max(RANGE.0), (temperature * factor).min(RANGE.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits that are twice as sure as they should be.
    fn example(photos: usize) -> (Vec<Vec<f32>>, Vec<usize>) {
        let value = |i: usize, j: usize| (4.0 * (i as f64 * 1.3 + j as f64 * 2.1).sin()) as f32;
        let logits: Vec<Vec<f32>> = (0..photos).map(|i| (0..4).map(|j| value(i, j)).collect()).collect();
        let target = |(i, z): (usize, &Vec<f32>)| if i * 7 % 10 < 6 { first_of_most(z) } else { i * 3 % 4 };
        let targets = logits.iter().enumerate().map(target).collect();
        (logits, targets)
    }

    /// ```python
    /// i, j = np.meshgrid(np.arange(300), np.arange(4), indexing="ij"); z = (4 * np.sin(i * 1.3 + j * 2.1)).astype("f4")
    /// k = np.arange(300); y = np.where(k * 7 % 10 < 6, z.argmax(1), k * 3 % 4); zt, yt = torch.tensor(z).double(), torch.tensor(y)
    /// t = torch.ones((), dtype=torch.double, requires_grad=True); o = torch.optim.LBFGS([t], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-15)
    /// def f(): o.zero_grad(); l = torch.nn.functional.cross_entropy(zt / t, yt); l.backward(); return l
    /// o.step(f); print(t, f())  # and scipy.optimize.minimize_scalar(bounds=(.05, 20), method="bounded", options={"xatol": 1e-12}) agrees to 1e-7
    /// p = (zt / t).softmax(1).detach().numpy(); m = (p * z).sum(1); g = m - z[k, y]; h = (p * (z - m[:, None]) ** 2).sum(1)
    /// e = np.exp(1.959964 * np.sqrt((g ** 2).sum()) / h.sum() * t.item()); print(t.item() / e, t.item() * e)
    /// ```
    /// To 1e-6.
    #[test]
    fn the_temperature_is_torchs() {
        let (logits, targets) = example(300);
        let found = fit(&logits, &targets);
        let (temperature, low, high, raw, after) = TORCH;
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(found.fitted, temperature) && near(found.low, low) && near(found.high, high), "{found:?}");
        assert!(found.value.to_bits() == found.fitted.to_bits() && near(found.loss_raw, raw), "{found:?}");
        let all: Vec<usize> = (0..300).collect();
        let photos = Photos { logits: &logits, targets: &targets };
        assert!(near(photos.loss(&all, found.value) / 300.0, after));
        // By photos that it was not fitted on, it is a little worse than by its own, and still better than none.
        assert!(after < found.loss_out_of_fold && found.loss_out_of_fold < raw, "{found:?}");
    }

    const TORCH: (f64, f64, f64, f64, f64) = (3.284_919_64, 2.716_257_49, 3.972_634_08, 1.690_889_52, 1.107_311_59);

    #[test]
    fn of_too_few_or_too_right_photos_it_is_one_and_says_so() {
        let (logits, targets) = example(300);
        let right: Vec<usize> = logits.iter().map(|z| first_of_most(z)).collect();
        for (logits, targets) in [(&logits[..], &right[..]), (&logits[..1], &targets[..1]), (&[], &[])] {
            let found = fit(logits, targets);
            assert!(found.value == 1.0 && found.is_uncertain() && !found.is_kept(), "{found:?}");
        }
        let few = fit(&logits[..12], &targets[..12]);
        assert!(few.is_uncertain() && !fit(&logits, &targets).is_uncertain(), "{few:?}");
    }

    #[test]
    fn it_never_changes_which_class_is_first() {
        // Two logits that are one apart in the last bit, in either order, and equal ones.
        for logits in [[3.0, 3f32.next_up()], [3f32.next_up(), 3.0], [3.0, 3.0]] {
            for temperature in [0.05, 0.7, 1.0, 3.0, 20.0] {
                let told = tempered(&logits, temperature);
                assert_eq!(first_of_most(&told), first_of_most(&logits), "{logits:?} {temperature}: {told:?}");
                assert!((told.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            }
        }
        let (logits, _) = example(300);
        for z in &logits {
            assert_eq!(first_of_most(&tempered(z, 20.0)), first_of_most(z));
            assert_eq!(first_of_most(&raw(&tempered(z, 2.0), 2.0)), first_of_most(z));
        }
    }
}
