//! Small systems of equations, as least squares give them.

/// Solves symmetric equations, of which the upper half is given; nothing where they have no single solution.
pub(super) fn solve<const N: usize>(a: [[f32; N]; N], b: [f32; N]) -> Option<[f32; N]> {
    let (mut rows, mut solution) = (a.concat(), b.to_vec());
    for i in 0..N {
        (0..i).for_each(|j| rows[i * N + j] = rows[j * N + i]);
        // A little more on the diagonal: rounding must not decide.
        rows[i * N + i] *= 1.0001;
    }
    eliminate(N, &mut rows, &mut solution)?;
    solution.try_into().ok()
}

/// Gauss's elimination. Of any size, so that it is compiled once.
#[inline(never)]
fn eliminate(n: usize, rows: &mut [f32], b: &mut [f32]) -> Option<()> {
    for i in 0..n {
        let pivot = rows[i * n + i];
        if pivot.is_nan() || pivot < 1e-6 {
            return None;
        }
        for row in i + 1..n {
            let factor = rows[row * n + i] / pivot;
            (i..n).for_each(|column| rows[row * n + column] -= factor * rows[i * n + column]);
            b[row] -= factor * b[i];
        }
    }
    for i in (0..n).rev() {
        (i + 1..n).for_each(|column| b[i] -= rows[i * n + column] * b[column]);
        b[i] /= rows[i * n + i];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved_or_it_is_said_that_they_cannot_be() {
        // 4x + y = 6, x + 3y = 7: x = 1, y = 2.
        let [x, y] = solve([[4.0, 1.0], [0.0, 3.0]], [6.0, 7.0]).unwrap();
        assert!((x - 1.0).abs() < 1e-3 && (y - 2.0).abs() < 1e-3, "{x} {y}");
        assert_eq!(solve([[0.0, 0.0], [0.0, 1.0]], [1.0, 1.0]), None);
    }
}
