//! `/healthz`.

use axum::extract;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use super::State;
use crate::error::Result;
use crate::health::Health;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/healthz", get(healthz))
}

async fn healthz(extract::State(state): extract::State<State>) -> Result<(StatusCode, Json<Health>)> {
    let checkup = state.checkup.clone();
    let health = state.store.blocking(move |store| store.with(|conn| checkup.health(conn))).await?;
    Ok((health.status(), Json(health)))
}
