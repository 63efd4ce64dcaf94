//! What a request hears that is not answered: a status, what was wrong, and what to do.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use petal::{Error, ErrorKind};
use serde_json::{Value, json};

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    what: String,
    mend: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), mend: None }
    }

    pub(super) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// Too much at once.
    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once").mend("come again in a second")
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        json!({ "error": { "status": self.status.as_u16(), "what": self.what, "mend": self.mend } })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Bug | ErrorKind::Io | ErrorKind::Tensor => StatusCode::INTERNAL_SERVER_ERROR,
            // A photo that is none, or asks for more than a photo may cost.
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self { status, what: error.what().into(), mend: error.how_to_mend().map(Into::into) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/json")], self.json().to_string()).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
