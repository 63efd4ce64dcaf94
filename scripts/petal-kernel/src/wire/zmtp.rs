//! ZeroMQ's wire protocol (ZMTP 3.0, rfc.zeromq.org/spec/23) without its security: a greeting, then frames.
//! What the kernel needs of it is small, and every front end speaks it by libzmq.

use std::io::{self, Read, Write};

/// The frames of one message.
pub(crate) type Frames = Vec<Vec<u8>>;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;
/// No front end sends larger ones.
const LIMIT: u64 = 1 << 30;

/// What came from the other side.
#[derive(Debug, PartialEq)]
pub(super) enum Received {
    /// Nothing yet: the other side is there.
    Joined,
    Message(Frames),
    Command(Vec<u8>),
}

/// Greets and is greeted; gives the identity that the other side has taken.
pub(super) fn handshake(stream: &mut (impl Read + Write), kind: &str) -> io::Result<Vec<u8>> {
    let mut greeting = [0u8; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    stream.write_all(&greeting)?;
    let mut other = [0u8; 64];
    stream.read_exact(&mut other)?;
    if other[0] != 0xff || other[9] & 1 != 1 || other[10] < 3 || &other[12..16] != b"NULL" {
        return Err(invalid("no greeting of ZMTP 3 without security"));
    }
    let mut ready = b"\x05READY".to_vec();
    property(&mut ready, "Socket-Type", kind.as_bytes());
    property(&mut ready, "Identity", b"");
    stream.write_all(&command(&ready))?;
    match receive(stream)? {
        Received::Command(body) if body.starts_with(b"\x05READY") => Ok(identity(&body[6..])),
        other => Err(invalid(&format!("READY was expected, not {other:?}"))),
    }
}

/// The bytes of a message.
pub(super) fn encode(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frames.iter().map(|frame| frame.len() + 9).sum());
    for (index, frame) in frames.iter().enumerate() {
        head(&mut bytes, if index + 1 < frames.len() { MORE } else { 0 }, frame.len());
        bytes.extend_from_slice(frame);
    }
    bytes
}

/// The bytes of a command.
pub(super) fn command(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head(&mut bytes, COMMAND, body.len());
    bytes.extend_from_slice(body);
    bytes
}

/// Reads the next message or command.
pub(super) fn receive(stream: &mut impl Read) -> io::Result<Received> {
    let mut frames = Vec::new();
    loop {
        let mut flags = [0u8; 1];
        stream.read_exact(&mut flags)?;
        let length = if flags[0] & LONG != 0 {
            let mut bytes = [0u8; 8];
            stream.read_exact(&mut bytes)?;
            u64::from_be_bytes(bytes)
        } else {
            let mut byte = [0u8; 1];
            stream.read_exact(&mut byte)?;
            u64::from(byte[0])
        };
        if length > LIMIT {
            return Err(invalid("a frame of more than a gibibyte"));
        }
        let mut body = Vec::new();
        if stream.by_ref().take(length).read_to_end(&mut body)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if flags[0] & COMMAND != 0 {
            return Ok(Received::Command(body));
        }
        frames.push(body);
        if flags[0] & MORE == 0 {
            return Ok(Received::Message(frames));
        }
    }
}

fn head(bytes: &mut Vec<u8>, flags: u8, length: usize) {
    match u8::try_from(length) {
        Ok(short) => bytes.extend([flags, short]),
        Err(_) => {
            bytes.push(flags | LONG);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
}

fn property(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.push(name.len() as u8);
    bytes.extend(name.as_bytes());
    bytes.extend((value.len() as u32).to_be_bytes());
    bytes.extend(value);
}

/// The property `Identity` among those of READY.
fn identity(mut rest: &[u8]) -> Vec<u8> {
    while let Some((&length, after)) = rest.split_first() {
        let length = usize::from(length);
        let (Some(name), Some(size)) = (after.get(..length), after.get(length..length + 4)) else { break };
        let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
        let Some(value) = after.get(length + 4..length + 4 + size) else { break };
        if name.eq_ignore_ascii_case(b"identity") {
            return value.to_vec();
        }
        rest = &after[length + 4 + size..];
    }
    Vec::new()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn messages_come_back_as_they_were_sent() {
        let frames = vec![b"topic".to_vec(), Vec::new(), vec![7; 255], vec![8; 256], vec![9; 70_000]];
        let bytes = encode(&frames);
        assert_eq!(receive(&mut bytes.as_slice()).unwrap(), Received::Message(frames));
        assert_eq!(receive(&mut command(b"\x04PING").as_slice()).unwrap(), Received::Command(b"\x04PING".to_vec()));
    }

    #[test]
    fn what_is_cut_short_is_no_message() {
        let bytes = encode(&[b"one".to_vec(), b"two".to_vec()]);
        for length in 0..bytes.len() {
            assert!(receive(&mut &bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(receive(&mut [LONG, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].as_slice()).is_err());
    }

    #[test]
    fn both_sides_greet_and_the_identity_is_told() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || handshake(&mut one, "ROUTER").unwrap());
        let mut greeting = [0u8; 64];
        greeting[0] = 0xff;
        greeting[9] = 0x7f;
        greeting[10] = 3;
        greeting[11] = 1;
        greeting[12..16].copy_from_slice(b"NULL");
        other.write_all(&greeting).unwrap();
        let mut ready = b"\x05READY".to_vec();
        property(&mut ready, "Socket-Type", b"DEALER");
        property(&mut ready, "Identity", b"front end");
        other.write_all(&command(&ready)).unwrap();
        assert_eq!(thread.join().unwrap(), b"front end");
    }
}
