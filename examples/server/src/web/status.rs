//! `/healthz` and `/metrics`: open to all, since nothing of what is stored is in them.

use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

use super::State;
use crate::error::Result;
use crate::health::Health;
use crate::metrics::Metrics;

type App = extract::State<State>;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics))
}

pub(super) async fn health(state: &State) -> Result<Health> {
    let checkup = state.checkup.clone();
    state.store.blocking(move |store| store.with(|conn| checkup.health(conn))).await
}

async fn healthz(state: App) -> Result<(StatusCode, Json<Health>)> {
    let health = health(&state).await?;
    Ok((health.status(), Json(health)))
}

async fn metrics(state: App) -> Result<impl IntoResponse> {
    let health = health(&state).await?;
    let metrics = Metrics { health: &health, statements: &state.store.monitor().snapshot() };
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.to_string()))
}
