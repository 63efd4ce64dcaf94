//! A channel that front ends send requests on, and the front ends on it.

use super::socket::{Listener, Stream};
use super::zmtp::{self, Frames, Received};
use std::io::{self, BufReader, Write};
use std::sync::{Arc, Mutex};

/// One front end on one channel; what is sent goes to it alone.
pub(crate) struct Peer {
    /// The same on all channels of one front end, where it says so.
    pub(crate) identity: Vec<u8>,
    stream: Mutex<Stream>,
}

impl Peer {
    /// Sends a message. A front end that is gone does not hear it.
    pub(crate) fn send(&self, frames: &[Vec<u8>]) {
        let _ = self.write(&zmtp::encode(frames));
    }

    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.stream.lock().unwrap_or_else(|held| held.into_inner()).write_all(bytes)
    }

    pub(super) fn close(&self) {
        self.stream.lock().unwrap_or_else(|held| held.into_inner()).close();
    }
}

/// Serves a channel in threads of its own: `kind` is ZeroMQ's name of it, `heard` gets each message, and once `None` when a front end is gone.
pub(super) fn serve(
    listener: Listener,
    kind: &'static str,
    heard: impl Fn(&Arc<Peer>, Option<Received>) + Send + Sync + 'static,
) {
    let heard = Arc::new(heard);
    std::thread::spawn(move || {
        loop {
            let Ok(stream) = listener.accept() else {
                std::thread::sleep(std::time::Duration::from_millis(50));
                continue;
            };
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || {
                let _ = attend(stream, kind, &*heard);
            });
        }
    });
}

fn attend(mut stream: Stream, kind: &str, heard: &dyn Fn(&Arc<Peer>, Option<Received>)) -> io::Result<()> {
    let identity = zmtp::handshake(&mut stream, kind)?;
    let peer = Arc::new(Peer { identity, stream: Mutex::new(stream.try_clone()?) });
    heard(&peer, Some(Received::Joined));
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    loop {
        match zmtp::receive(&mut reader) {
            // A ping carries two bytes of time to live, and what the answer has to repeat.
            Ok(Received::Command(body)) if body.starts_with(b"\x04PING") => {
                let mut pong = b"\x04PONG".to_vec();
                pong.extend(body.get(7..).unwrap_or_default());
                peer.write(&zmtp::command(&pong))?;
            }
            Ok(received) => heard(&peer, Some(received)),
            Err(error) => {
                heard(&peer, None);
                return Err(error);
            }
        }
    }
}

impl Listener {
    /// Gives each message of the channel to `heard`, in the order of each front end; and no frames at all when a front end comes.
    pub(crate) fn route(self, heard: impl Fn(&Arc<Peer>, Frames) + Send + Sync + 'static) {
        serve(self, "ROUTER", move |peer, received| match received {
            Some(Received::Message(frames)) => heard(peer, frames),
            Some(Received::Joined) => heard(peer, Frames::new()),
            _ => {}
        });
    }

    /// Answers each message with itself, as the heartbeat does.
    pub(crate) fn echo(self) {
        serve(self, "REP", |peer, received| {
            if let Some(Received::Message(frames)) = received {
                peer.send(&frames);
            }
        });
    }
}
