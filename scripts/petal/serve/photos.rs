//! From a request's bytes to pixels.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Multipart;
use axum::extract::multipart::MultipartError;
use axum::http::StatusCode;
use petal::config::Limits;
use petal::pixels::{self, Preprocess};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::refusal::Refusal;

/// Most photos of a request.
const MOST: usize = 256;

/// A photo as it came.
pub(super) struct Photo {
    /// What its sender calls it; nothing where it has no name.
    pub(super) name: Option<String>,
    pub(super) bytes: Bytes,
}

/// Takes photos out of a form: every part that is a file or has content.
pub(super) async fn of_form(mut form: Multipart) -> Result<Vec<Photo>, Refusal> {
    let mut photos = Vec::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.file_name().or_else(|| field.name()).map(str::to_owned);
        let bytes = field.bytes().await.map_err(broken)?;
        if photos.len() == MOST {
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("more than {MOST} photos"))
                .mend("send them in several requests"));
        }
        photos.push(Photo { name, bytes });
    }
    if photos.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "the form holds no photo")
            .mend("curl -F photo=@rose.jpg http://…/predict"));
    }
    Ok(photos)
}

fn broken(cause: MultipartError) -> Refusal {
    let what = match cause.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "the request is too large".to_owned(),
        _ => format!("the form cannot be read: {}", cause.body_text()),
    };
    Refusal::new(cause.status(), what)
}

/// Decodes photos, as many at once as there are processors: each may need a lot of memory.
pub(super) struct Decoder {
    pub(super) limits: Limits,
    pub(super) preprocess: Preprocess,
    room: Arc<Semaphore>,
}

impl Decoder {
    pub(super) fn new(limits: Limits, preprocess: Preprocess) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { limits, preprocess, room: Arc::new(Semaphore::new(processors)) }
    }

    /// The pixels that the network sees, `[S, S, 3]`.
    pub(super) async fn pixels(&self, bytes: Bytes) -> Result<Vec<f32>, Refusal> {
        let failed = || Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the service is ending");
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| failed())?;
        let (limits, preprocess) = (self.limits, self.preprocess);
        let decoded = spawn_blocking(move || {
            let _room = room;
            let photo = pixels::decode(&bytes, &limits)?;
            Ok(preprocess.normalize(&preprocess.square(&photo)?))
        });
        decoded.await.map_err(|_| failed())?.map_err(|error: petal::Error| error.into())
    }
}
