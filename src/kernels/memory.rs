//! Memory to use again: fresh memory's first touch costs about as much as computing what goes into it.

use std::ops::{Deref, DerefMut, Range};
use std::sync::{Arc, Mutex};

/// Memory to use again. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Vec<Vec<f32>>>>);

/// How many times larger than what is asked for a piece of memory may be; else it would be missing where it is needed.
const LARGER: usize = 4;

/// Numbers in a line of the cache. Memory starts at one: a vector that lies in two lines is loaded twice.
const LINE: usize = 16;

impl Memory {
    /// Memory for `len` numbers. What is in it is left from earlier use: it must be written before it is read.
    pub fn buffer(&self, len: usize) -> Buffer {
        let kept = self.0.lock().ok().and_then(|mut free| {
            // Of equal ones the last that was freed: it is the likeliest to be in a cache still.
            let fits = |values: &Vec<f32>| (len..=len.saturating_mul(LARGER)).contains(&(values.len() - LINE));
            let fitting = free.iter().enumerate().rev().filter(|(_, values)| fits(values));
            let best = fitting.min_by_key(|(_, values)| values.len()).map(|(index, _)| index);
            best.map(|index| free.remove(index))
        });
        let values = kept.unwrap_or_else(|| vec![0.0; len + LINE]);
        let start = values.as_ptr().align_offset(size_of::<[f32; LINE]>());
        Buffer { values, range: start..start + len, home: self.clone() }
    }
}

/// Numbers whose memory goes back to where it came from.
#[derive(Debug)]
pub struct Buffer {
    values: Vec<f32>,
    range: Range<usize>,
    home: Memory,
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.range.clone()]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.range.clone()]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Ok(mut free) = self.home.0.lock() {
            free.push(std::mem::take(&mut self.values));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_the_smallest_that_fits_is_taken() {
        let memory = Memory::default();
        let (large, small) = (memory.buffer(100), memory.buffer(10));
        let (at_large, at_small) = (large.as_ptr(), small.as_ptr());
        drop((large, small));
        let again = memory.buffer(8);
        assert_eq!((again.as_ptr(), again.len()), (at_small, 8));
        assert_ne!(memory.buffer(20).as_ptr(), at_large);
        assert_eq!(memory.buffer(50).as_ptr(), at_large);
        assert_eq!(memory.buffer(1000).len(), 1000);
        assert!([1, 7, 1000].iter().all(|&len| memory.buffer(len).as_ptr().addr().is_multiple_of(64)));
    }
}
