//! One thread has the network; photos that come at about the same time go through it together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use petal::config::TrustConfig;
use petal::eval::{Asked, Judgement};
use petal::export::ModelInfo;
use petal::pixels::Preprocess;
use petal::prelude::*;
use petal::train::trust;
use tokio::sync::oneshot;

/// What the thread is given.
pub(super) struct Network {
    pub(super) model: Model,
    pub(super) info: ModelInfo,
    pub(super) how: TrustConfig,
    pub(super) device: Device,
}

/// What the network says of a photo: the probability of each class, and what is said beside them.
pub(super) type Answer = (Vec<f32>, Option<Judgement>);

/// A photo that waits: its normalized pixels `[S, S, 3]`, and where its answer goes.
struct Waiting {
    pixels: Vec<f32>,
    answer: oneshot::Sender<Result<Answer>>,
}

/// The door to the thread. The thread ends when all doors are gone, and what was put in before has been answered.
#[derive(Clone)]
pub(super) struct Batches {
    door: SyncSender<Waiting>,
    /// Photos that have come and are not at the door yet.
    coming: Arc<AtomicUsize>,
    /// What photos become first.
    pub(super) preprocess: Preprocess,
}

/// A photo that is on its way to the door: while there is one, others wait for it.
pub(super) struct Coming(Arc<AtomicUsize>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts the thread, which asks about at most `most` photos at once; the first of them waits at most `wait` for others that are coming. `queue` photos can wait.
pub(super) fn start(network: Network, most: usize, wait: Duration, queue: usize) -> Result<Batches> {
    let (door, waiting) = sync_channel(queue.max(most));
    let (ready, is_ready) = sync_channel(1);
    let coming = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&coming);
    thread::spawn(move || {
        let Network { model, info, how, device } = &network;
        match trust::asked(model, info, *how) {
            // Nobody waits for it any more: the command has ended.
            Err(error) => drop(ready.send(Err(error))),
            Ok(asked) => {
                let preprocess = *asked.preprocess();
                if ready.send(Ok(preprocess)).is_ok() {
                    answer_all(&asked, preprocess.size, device, (&waiting, &own), (most, wait));
                }
            }
        }
    });
    let gone = |_| Error::new(ErrorKind::Bug, "the network's thread ended before it began");
    let preprocess = is_ready.recv().map_err(gone)??;
    Ok(Batches { door, coming, preprocess })
}

/// Answers until no photo can come any more.
fn answer_all(
    asked: &Asked,
    side: usize,
    device: &Device,
    (waiting, coming): (&Receiver<Waiting>, &AtomicUsize),
    (most, wait): (usize, Duration),
) {
    while let Ok(first) = waiting.recv() {
        let until = Instant::now() + wait;
        let mut batch = vec![first];
        while batch.len() < most {
            // Who is alone does not wait for nobody.
            let left = match coming.load(Ordering::Relaxed) {
                0 => Duration::ZERO,
                _ => until.saturating_duration_since(Instant::now()),
            };
            match waiting.recv_timeout(left) {
                Ok(next) => batch.push(next),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        // Whoever has gone meanwhile is not computed for.
        batch.retain(|photo| !photo.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        let (pixels, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|photo| (photo.pixels, photo.answer)).unzip();
        let count = pixels.len();
        let images = Tensor::from_vec(pixels.concat(), (count, side, side, 3), device);
        let told = images
            .and_then(|images| images.permute((0, 3, 1, 2)))
            .map_err(Error::from)
            .and_then(|images| asked.answers(&images));
        match told {
            Ok(told) => answers.into_iter().zip(told).for_each(|(answer, told)| drop(answer.send(Ok(told)))),
            Err(error) => {
                let what = error.in_a_line();
                let failed = || Error::new(ErrorKind::Bug, format!("the network failed: {what}"));
                answers.into_iter().for_each(|answer| drop(answer.send(Err(failed()))));
            }
        }
    }
}

impl Batches {
    /// Says that a photo has come, and will be at the door once it is decoded.
    pub(super) fn coming(&self) -> Coming {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(Arc::clone(&self.coming))
    }

    /// Asks about a photo's pixels. `None` where too many wait already.
    pub(super) async fn ask(&self, pixels: Vec<f32>) -> Option<Result<Answer>> {
        let (answer, answered) = oneshot::channel();
        match self.door.try_send(Waiting { pixels, answer }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return None,
            Err(TrySendError::Disconnected(_)) => return Some(Err(gone())),
        }
        Some(answered.await.unwrap_or_else(|_| Err(gone())))
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Bug, "the network's thread has ended").mend("start petal serve again")
}
