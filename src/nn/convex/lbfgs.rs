//! L-BFGS (Liu & Nocedal 1989), for smooth convex functions.

/// How far it goes, and how it remembers.
const MEMORY: usize = 10;
const MOST_STEPS: usize = 500;
const MOST_TRIES: usize = 40;
/// Armijo's and Wolfe's constants.
const FALL: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// Goes down from `x` until no part of the gradient is beyond `tolerance`, or nothing more is gained; `f` gives the value at a place and writes the
/// gradient there. Steps are those of a two-loop recursion over the last ten, their lengths by bisection to the weak Wolfe conditions (Lewis & Overton
/// 2013). Gives the place and the number of steps.
///
/// ```
/// use petal::nn::convex::minimize;
///
/// // (x − 3)² + 10 (y + 1)²
/// let bowl = |x: &[f64], g: &mut [f64]| {
///     (g[0], g[1]) = (2.0 * (x[0] - 3.0), 20.0 * (x[1] + 1.0));
///     (x[0] - 3.0).powi(2) + 10.0 * (x[1] + 1.0).powi(2)
/// };
/// let (lowest, _) = minimize(vec![0.0, 0.0], 1e-9, bowl);
/// assert!((lowest[0] - 3.0).abs() < 1e-8 && (lowest[1] + 1.0).abs() < 1e-8);
/// ```
pub fn minimize(x: Vec<f64>, tolerance: f64, f: impl Fn(&[f64], &mut [f64]) -> f64) -> (Vec<f64>, usize) {
    let mut x = x;
    let mut gradient = vec![0.0; x.len()];
    let mut value = f(&x, &mut gradient);
    let mut past: Vec<(Vec<f64>, Vec<f64>, f64)> = Vec::new();
    for step in 0..MOST_STEPS {
        if gradient.iter().all(|part| part.abs() <= tolerance) {
            return (x, step);
        }
        let mut direction = downhill(&gradient, &past);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            past.clear();
            direction = gradient.iter().map(|part| -part).collect();
            slope = dot(&direction, &gradient);
        }
        // The first step has no past to tell its length.
        let first = if past.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let Some((next, next_value, next_gradient)) = search(&f, &x, value, slope, &direction, first) else {
            return (x, step);
        };
        let moved: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curve = dot(&moved, &turned);
        if curve > 1e-14 * dot(&turned, &turned) {
            if past.len() == MEMORY {
                past.remove(0);
            }
            past.push((moved, turned, 1.0 / curve));
        }
        (x, value, gradient) = (next, next_value, next_gradient);
    }
    (x, MOST_STEPS)
}

/// A place along a direction that is lower, and less steep.
type Found = (Vec<f64>, f64, Vec<f64>);

fn search(
    f: &impl Fn(&[f64], &mut [f64]) -> f64,
    x: &[f64],
    value: f64,
    slope: f64,
    direction: &[f64],
    first: f64,
) -> Option<Found> {
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, first);
    let mut lower = None;
    for _ in 0..MOST_TRIES {
        let there: Vec<f64> = x.iter().zip(direction).map(|(x, d)| x + length * d).collect();
        let mut gradient = vec![0.0; x.len()];
        let reached = f(&there, &mut gradient);
        if !reached.is_finite() || reached > value + FALL * length * slope {
            high = length;
        } else if dot(&gradient, direction) < CURVATURE * slope {
            low = length;
            lower = Some((there, reached, gradient));
        } else {
            return Some((there, reached, gradient));
        }
        length = if high.is_finite() { (low + high) / 2.0 } else { 2.0 * low };
    }
    lower.filter(|(_, reached, _)| *reached < value)
}

/// The two-loop recursion.
fn downhill(gradient: &[f64], past: &[(Vec<f64>, Vec<f64>, f64)]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|part| -part).collect();
    let mut shares = Vec::with_capacity(past.len());
    for (moved, turned, inverse) in past.iter().rev() {
        let share = inverse * dot(moved, &direction);
        add(&mut direction, -share, turned);
        shares.push(share);
    }
    if let Some((_, turned, inverse)) = past.last() {
        let scale = 1.0 / (inverse * dot(turned, turned));
        direction.iter_mut().for_each(|part| *part *= scale);
    }
    for ((moved, turned, inverse), share) in past.iter().zip(shares.into_iter().rev()) {
        let other = inverse * dot(turned, &direction);
        add(&mut direction, share - other, moved);
    }
    direction
}

/// The sum of products, in eight sums that are added in a fixed order.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `to += share · from`.
pub(super) fn add(to: &mut [f64], share: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += share * from);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// scipy.optimize.minimize(scipy.optimize.rosen, [1.3, 0.7, 0.8, 1.9, 1.2], jac=scipy.optimize.rosen_der, method="L-BFGS-B", tol=1e-12).x
    /// ```
    #[test]
    fn a_curved_valley_is_gone_down_to_its_end() {
        let valley = |x: &[f64], g: &mut [f64]| {
            g.fill(0.0);
            let mut sum = 0.0;
            for i in 0..x.len() - 1 {
                let (a, b) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
                sum += 100.0 * a * a + b * b;
                g[i] += -400.0 * x[i] * a - 2.0 * b;
                g[i + 1] += 200.0 * a;
            }
            sum
        };
        let (lowest, steps) = minimize(vec![1.3, 0.7, 0.8, 1.9, 1.2], 1e-9, valley);
        assert!(lowest.iter().all(|x| (x - 1.0).abs() < 1e-8) && steps < 200, "{lowest:?} after {steps}");
    }

    #[test]
    fn where_nothing_can_be_gained_it_ends() {
        let (x, steps) = minimize(vec![1.0], 1e-9, |_, g| {
            g[0] = 1.0;
            f64::NAN
        });
        assert_eq!((x, steps), (vec![1.0], 0));
    }
}
