//! The paths, and what each answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::batches::{Answer, Batches};
use super::page;
use super::photos::{Decoder, Photo, of_form};
use super::refusal::Refusal;
use super::server::Limits;

/// What is said of the model.
pub(super) struct About {
    pub(super) network: String,
    pub(super) classes: Vec<String>,
    /// Of its file.
    pub(super) sha256: String,
    /// What its users should know, in a line; else nothing.
    pub(super) note: String,
}

/// What every request is answered by.
pub(super) struct Service {
    pub(super) about: About,
    batches: Batches,
    decoder: Decoder,
    room: Semaphore,
    limits: Limits,
    pub(super) requests: AtomicU64,
    pub(super) photos: AtomicU64,
}

impl Service {
    pub(super) fn new(about: About, batches: Batches, limits: Limits) -> Self {
        let decoder = Decoder::new(limits.photo, batches.preprocess);
        let room = Semaphore::new(limits.requests);
        Self { about, batches, decoder, room, limits, requests: AtomicU64::new(0), photos: AtomicU64::new(0) }
    }
}

/// All paths.
pub(super) fn router(service: Arc<Service>) -> Router {
    let bytes = service.limits.bytes;
    Router::new()
        .route("/", get(|| async { Html(page::PAGE) }))
        .route("/health", get(health))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], page::OPENAPI) }))
        .route("/predict", post(predict))
        .fallback(|| async {
            Refusal::new(StatusCode::NOT_FOUND, "there is no such path")
                .mend("POST /predict; GET /health, /openapi.json, /")
        })
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this path is not asked so")
                .mend("POST /predict; GET the others")
        })
        .layer(DefaultBodyLimit::max(bytes))
        .with_state(service)
}

async fn health(State(service): State<Arc<Service>>) -> Response {
    let About { network, classes, sha256, note } = &service.about;
    answer(&json!({
        "status": "ok",
        "petal": env!("CARGO_PKG_VERSION"),
        "network": network,
        "classes": classes,
        "model_sha256": sha256,
        "note": (!note.is_empty()).then(|| note.trim()),
        "requests": service.requests.load(Ordering::Relaxed),
        "photos": service.photos.load(Ordering::Relaxed),
    }))
}

async fn predict(State(service): State<Arc<Service>>, request: Request) -> Result<Response, Refusal> {
    // What does not fit is told so before any of it is read.
    let _room = service.room.try_acquire().map_err(|_| Refusal::busy())?;
    service.requests.fetch_add(1, Ordering::Relaxed);
    let arrival = service.limits.arrival;
    let arrived = timeout(arrival, arrived(request, service.limits.bytes)).await;
    let (photos, is_form) = arrived.map_err(|_| late(arrival))??;
    let mut found = Vec::with_capacity(photos.len());
    // Side by side: they are decoded together, and wait for the network together.
    let told: Vec<_> = photos.into_iter().map(|photo| tokio::spawn(one(Arc::clone(&service), photo))).collect();
    for one in told {
        found.push(
            one.await.unwrap_or_else(|_| Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the service is ending"))),
        );
    }
    if !is_form {
        return found
            .pop()
            .unwrap_or_else(|| Err(Refusal::new(StatusCode::BAD_REQUEST, "there is no photo")))
            .map(|told| answer(&told));
    }
    // A form is answered where one of its photos is; each other says what is wrong with it.
    if found.iter().all(Result::is_err) {
        return found.swap_remove(0).map(|told| answer(&told));
    }
    let all: Vec<Value> = found.into_iter().map(|one| one.unwrap_or_else(|refusal| refusal.json())).collect();
    Ok(answer(&json!({ "predictions": all })))
}

/// The photos of a request, and whether it is a form.
async fn arrived(request: Request, most: usize) -> Result<(Vec<Photo>, bool), Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "multipart/form-data" => {
            let form = Multipart::from_request(request, &()).await;
            let form = form.map_err(|cause| Refusal::new(cause.status(), cause.body_text()))?;
            Ok((of_form(form).await?, true))
        }
        // The last is what curl calls what it is given.
        kind if ["", "application/octet-stream", "application/x-www-form-urlencoded"].contains(&kind)
            || kind.starts_with("image/") =>
        {
            let length = request
                .headers()
                .get(header::CONTENT_LENGTH)
                .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
            if length.is_some_and(|length| length > most) {
                return Err(too_large(most));
            }
            let bytes: Bytes = to_bytes(request.into_body(), most).await.map_err(|cause| {
                // The only error of petal's own making is a body beyond its limit; others are the sender's connection.
                let what = cause.to_string();
                if what.contains("limit") { too_large(most) } else { Refusal::new(StatusCode::BAD_REQUEST, what) }
            })?;
            if bytes.is_empty() {
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "the request has no content")
                    .mend("curl --data-binary @rose.jpg http://…/predict"));
            }
            Ok((vec![Photo { name: None, bytes }], false))
        }
        other => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "this is {other:?}: expected a photo (image/…, application/octet-stream) or a form (multipart/form-data)"
            ),
        )),
    }
}

fn late(arrival: Duration) -> Refusal {
    let what = format!("the request did not arrive within {} seconds", arrival.as_secs());
    Refusal::new(StatusCode::REQUEST_TIMEOUT, what)
}

fn too_large(most: usize) -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the request has more than {most} bytes"))
}

/// What is said of one photo.
async fn one(service: Arc<Service>, photo: Photo) -> Result<Value, Refusal> {
    let coming = service.batches.coming();
    let pixels = service.decoder.pixels(photo.bytes).await?;
    drop(coming);
    let told: Answer = service.batches.ask(pixels).await.ok_or_else(Refusal::busy)??;
    service.photos.fetch_add(1, Ordering::Relaxed);
    let (probabilities, judgement) = told;
    let classes = &service.about.classes;
    let best = (1..probabilities.len())
        .fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best });
    let each: serde_json::Map<String, Value> =
        classes.iter().zip(&probabilities).map(|(class, probability)| (class.clone(), json!(probability))).collect();
    Ok(json!({
        "name": photo.name,
        "class": classes[best],
        "probability": probabilities[best],
        "probabilities": each,
        "trust": crate::trust::json(judgement.as_ref(), classes),
    }))
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
