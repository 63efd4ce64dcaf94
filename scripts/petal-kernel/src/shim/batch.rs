//! Text that waits a moment, so that many small pieces become one message.

use super::Frame;
use std::time::{Duration, Instant};

const LARGE: usize = 1 << 16;

/// Pieces of text in the order they came.
#[derive(Default)]
pub(super) struct Batch {
    parts: Vec<Frame>,
    bytes: usize,
    /// Since when something waits.
    pub(super) since: Option<Instant>,
}

impl Batch {
    /// Something waits from now on.
    pub(super) fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    pub(super) fn out(&mut self, text: &[u8]) {
        match self.parts.last_mut() {
            Some(Frame::Out(before)) => before.extend_from_slice(text),
            _ if text.is_empty() => return,
            _ => self.parts.push(Frame::Out(text.to_vec())),
        }
        self.add(text);
    }

    pub(super) fn err(&mut self, text: &[u8]) {
        match self.parts.last_mut() {
            Some(Frame::Err(before)) => before.extend_from_slice(text),
            _ if text.is_empty() => return,
            _ => self.parts.push(Frame::Err(text.to_vec())),
        }
        self.add(text);
    }

    fn add(&mut self, text: &[u8]) {
        self.bytes += text.len();
        if !text.is_empty() {
            self.begin();
        }
    }

    /// Takes the last text of the standard error out.
    pub(super) fn take_err(&mut self) -> Vec<u8> {
        let index = self.parts.iter().rposition(|part| matches!(part, Frame::Err(_)));
        match index.map(|index| self.parts.remove(index)) {
            Some(Frame::Err(text)) => text,
            _ => Vec::new(),
        }
    }

    /// Takes all out.
    pub(super) fn take(&mut self) -> Vec<Frame> {
        self.bytes = 0;
        self.since = None;
        std::mem::take(&mut self.parts)
    }

    pub(super) fn is_large(&self) -> bool {
        self.bytes > LARGE
    }

    /// Whether something has waited long enough.
    pub(super) fn due(&self, long: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_in_order_and_the_last_error_can_be_taken_out() {
        let mut batch = Batch::default();
        for (stream, text) in [("out", "a"), ("out", "b"), ("err", "c"), ("out", "d"), ("err", "e"), ("err", "f")] {
            if stream == "out" { batch.out(text.as_bytes()) } else { batch.err(text.as_bytes()) }
        }
        assert_eq!(batch.take_err(), b"ef");
        assert_eq!(batch.take(), [Frame::Out(b"ab".to_vec()), Frame::Err(b"c".to_vec()), Frame::Out(b"d".to_vec())]);
        assert!(batch.since.is_none());
        assert!(batch.take_err().is_empty());
    }
}
