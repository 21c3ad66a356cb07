//! What can go wrong, and what a client is told of it.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use molos::rusqlite::{self, ErrorCode};
use serde_json::json;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Deliberately without a reason: that is in the log.
    #[error("access denied")]
    Denied,
    #[error("there is no {0}")]
    NotFound(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Conflict(String),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error(transparent)]
    Migration(#[from] molos::Error),
    #[error("no connection is free")]
    Pool(#[from] r2d2::Error),
    #[error("{0}")]
    Internal(&'static str),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Denied => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Database(error) => match error.sqlite_error_code() {
                // What a client may send and a constraint refuses, as the id of a user that does not exist.
                Some(ErrorCode::ConstraintViolation) => StatusCode::UNPROCESSABLE_ENTITY,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Migration(error) if error.is_retryable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Pool(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Migration(_) | Self::Internal(_) | Self::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a client is told: no more than it can do something about.
    #[must_use]
    pub fn public(&self) -> String {
        match self.status() {
            StatusCode::INTERNAL_SERVER_ERROR => "internal error".to_owned(),
            StatusCode::SERVICE_UNAVAILABLE => "try again later".to_owned(),
            _ if matches!(self, Self::Database(_)) => "a value is not allowed".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = %self, "a request failed");
        }
        let body = Json(json!({ "error": self.public() }));
        if status == StatusCode::UNAUTHORIZED {
            return (status, [(header::WWW_AUTHENTICATE, "Bearer")], body).into_response();
        }
        (status, body).into_response()
    }
}
