//! What the shim tells the kernel over their socket, and what it is asked.

use std::io::{self, Read, Write};

/// One thing that the kernel is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The process is there: its number.
    Hello(u32),
    /// A cell begins to run.
    Running,
    /// Text on the standard output.
    Out(Vec<u8>),
    /// Text on the standard error.
    Err(Vec<u8>),
    /// A message's JSON.
    Message(Vec<u8>),
    /// A block of a MIME type.
    Content(String, Vec<u8>),
    /// The cell has panicked: what it wrote on the standard error just before.
    Panic(Vec<u8>),
    /// The cell has ended in a failed `?`: what it wrote on the standard error just before.
    Failed(Vec<u8>),
    /// The cell did not begin, since a stop is asked for.
    Refused,
    /// The cell is done.
    Done,
    /// All that was said before the kernel asked (`SYNC`) has been told.
    Synced,
    /// The process has ended: how, in words.
    Ended(String),
}

/// What the kernel asks with: for `Synced`.
pub(crate) const SYNC: u8 = b's';

impl Frame {
    pub(crate) fn write(&self, stream: &mut impl Write) -> io::Result<()> {
        let mut both = Vec::new();
        let number;
        let (tag, body): (u8, &[u8]) = match self {
            Frame::Hello(process) => {
                number = process.to_be_bytes();
                (b'h', &number)
            }
            Frame::Running => (b'r', b""),
            Frame::Out(text) => (b'o', text),
            Frame::Err(text) => (b'e', text),
            Frame::Message(json) => (b'm', json),
            Frame::Content(kind, body) => {
                both.extend(kind.as_bytes());
                both.push(b'\n');
                both.extend(body);
                (b'c', &both)
            }
            Frame::Panic(text) => (b'p', text),
            Frame::Failed(text) => (b'f', text),
            Frame::Refused => (b'n', b""),
            Frame::Done => (b'd', b""),
            Frame::Synced => (b's', b""),
            Frame::Ended(how) => (b'x', how.as_bytes()),
        };
        let mut head = [tag, 0, 0, 0, 0];
        head[1..].copy_from_slice(&(body.len() as u32).to_be_bytes());
        stream.write_all(&head)?;
        stream.write_all(body)
    }

    pub(crate) fn read(stream: &mut impl Read) -> io::Result<Frame> {
        let mut head = [0u8; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0u8; length];
        stream.read_exact(&mut body)?;
        Ok(match head[0] {
            b'h' => Frame::Hello(body.try_into().map_or(0, u32::from_be_bytes)),
            b'r' => Frame::Running,
            b'o' => Frame::Out(body),
            b'e' => Frame::Err(body),
            b'm' => Frame::Message(body),
            b'c' => {
                let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(0);
                Frame::Content(
                    String::from_utf8_lossy(&body[..end]).into_owned(),
                    body[(end + 1).min(length)..].to_vec(),
                )
            }
            b'p' => Frame::Panic(body),
            b'f' => Frame::Failed(body),
            b'n' => Frame::Refused,
            b'd' => Frame::Done,
            b's' => Frame::Synced,
            b'x' => Frame::Ended(String::from_utf8_lossy(&body).into_owned()),
            tag => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of the unknown kind {tag}")));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_told() {
        let frames = [
            Frame::Hello(70_000),
            Frame::Running,
            Frame::Out(vec![1; 100_000]),
            Frame::Err(Vec::new()),
            Frame::Message(b"{}".to_vec()),
            Frame::Content("text/html".to_owned(), b"a\nb".to_vec()),
            Frame::Panic(b"p".to_vec()),
            Frame::Failed(b"f".to_vec()),
            Frame::Refused,
            Frame::Done,
            Frame::Synced,
            Frame::Ended("signal 9".to_owned()),
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.write(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        for frame in &frames {
            assert_eq!(&Frame::read(&mut rest).unwrap(), frame);
        }
        assert!(Frame::read(&mut rest).is_err());
    }
}
