//! The channel on which all front ends hear what the kernel shows (iopub).

use super::peer::{self, Peer};
use super::socket::Listener;
use super::zmtp::{self, Received};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// So much may wait for one front end before the kernel waits for it,
const AHEAD: usize = 32 << 20;
/// and so long. One that does not read for longer is dropped.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends to all that listen.
#[derive(Clone)]
pub(crate) struct Publisher {
    subscribers: Arc<Mutex<Vec<Arc<Subscriber>>>>,
}

struct Subscriber {
    peer: Arc<Peer>,
    topics: Mutex<Vec<Vec<u8>>>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Arc<Vec<u8>>>,
    bytes: usize,
    closed: bool,
}

impl Publisher {
    /// Serves the channel. `welcome` makes the message for one that has just subscribed to a topic.
    pub(crate) fn serve(
        listener: Listener,
        welcome: impl Fn(&str) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Publisher {
        let publisher = Publisher { subscribers: Arc::default() };
        let ours = publisher.clone();
        peer::serve(listener, "PUB", move |peer, received| match received {
            Some(Received::Message(frames)) => match frames.first().and_then(|frame| frame.split_first()) {
                Some((1, topic)) => ours.subscribe(peer, topic, &welcome),
                Some((0, topic)) => ours.unsubscribe(peer, topic),
                _ => {}
            },
            Some(Received::Command(body)) => {
                if let Some(topic) = body.strip_prefix(b"\x09SUBSCRIBE") {
                    ours.subscribe(peer, topic, &welcome);
                } else if let Some(topic) = body.strip_prefix(b"\x06CANCEL") {
                    ours.unsubscribe(peer, topic);
                }
            }
            Some(Received::Joined) => {}
            None => ours.leave(peer),
        });
        publisher
    }

    /// Sends the message to all that want its topic, the first frame.
    pub(crate) fn send(&self, frames: &[Vec<u8>]) {
        let listening: Vec<_> = lock(&self.subscribers).clone();
        let topic = &frames[0];
        let bytes = Arc::new(zmtp::encode(frames));
        for subscriber in listening {
            if lock(&subscriber.topics).iter().any(|wanted| topic.starts_with(wanted)) && !subscriber.put(&bytes) {
                subscriber.peer.close();
                self.leave(&subscriber.peer);
            }
        }
    }

    /// Waits until all is sent, but not for ever.
    pub(crate) fn finish(&self, patience: Duration) {
        let until = Instant::now() + patience;
        for subscriber in lock(&self.subscribers).clone() {
            while lock(&subscriber.queue).bytes > 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    fn subscribe(&self, peer: &Arc<Peer>, topic: &[u8], welcome: &dyn Fn(&str) -> Vec<Vec<u8>>) {
        let mut subscribers = lock(&self.subscribers);
        let subscriber = match subscribers.iter().find(|known| Arc::ptr_eq(&known.peer, peer)) {
            Some(known) => Arc::clone(known),
            None => {
                let new = Arc::new(Subscriber {
                    peer: Arc::clone(peer),
                    topics: Mutex::default(),
                    queue: Mutex::default(),
                    changed: Condvar::new(),
                });
                subscribers.push(Arc::clone(&new));
                let writer = Arc::clone(&new);
                std::thread::spawn(move || writer.write());
                new
            }
        };
        lock(&subscriber.topics).push(topic.to_vec());
        subscriber.put(&Arc::new(zmtp::encode(&welcome(&String::from_utf8_lossy(topic)))));
    }

    fn unsubscribe(&self, peer: &Arc<Peer>, topic: &[u8]) {
        for subscriber in lock(&self.subscribers).iter().filter(|known| Arc::ptr_eq(&known.peer, peer)) {
            let mut topics = lock(&subscriber.topics);
            if let Some(index) = topics.iter().position(|known| known == topic) {
                topics.remove(index);
            }
        }
    }

    fn leave(&self, peer: &Arc<Peer>) {
        lock(&self.subscribers).retain(|known| {
            let gone = Arc::ptr_eq(&known.peer, peer);
            if gone {
                known.close();
            }
            !gone
        });
    }
}

impl Subscriber {
    /// Puts a message behind the others; false where the front end has not read for too long.
    fn put(&self, bytes: &Arc<Vec<u8>>) -> bool {
        let mut queue = lock(&self.queue);
        let until = Instant::now() + PATIENCE;
        while queue.bytes > AHEAD && !queue.closed {
            let now = Instant::now();
            if now >= until {
                return false;
            }
            queue = self.changed.wait_timeout(queue, until - now).unwrap_or_else(|held| held.into_inner()).0;
        }
        queue.bytes += bytes.len();
        queue.messages.push_back(Arc::clone(bytes));
        self.changed.notify_all();
        true
    }

    fn write(&self) {
        let mut queue = lock(&self.queue);
        loop {
            if queue.closed {
                return;
            }
            let Some(bytes) = queue.messages.pop_front() else {
                queue = self.changed.wait(queue).unwrap_or_else(|held| held.into_inner());
                continue;
            };
            drop(queue);
            let failed = self.peer.write(&bytes).is_err();
            queue = lock(&self.queue);
            queue.bytes -= bytes.len();
            queue.closed |= failed;
            self.changed.notify_all();
        }
    }

    fn close(&self) {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        queue.bytes = 0;
        self.changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|held| held.into_inner())
}
