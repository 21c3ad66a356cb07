//! `/keys`: for keys that are granted the resource `keys` of the core.

use axum::extract::{self, Path};
use axum::http::StatusCode;
use axum::routing::{delete, get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::State;
use super::bearer::Bearer;
use crate::access::{Access, Level};
use crate::error::Result;
use crate::{keys, now};

const READ: Access<'static> = Access::core("keys", Level::Read);
const ADMIN: Access<'static> = Access::core("keys", Level::Admin);

type App = extract::State<State>;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/keys", get(list).post(create))
        .route("/keys/{id}", delete(remove))
        .route("/keys/{id}/modules/{module}", put(grant_module).delete(revoke_module))
        .route("/keys/{id}/permissions/{resource}", put(grant_permission).delete(revoke_permission))
}

async fn list(state: App, bearer: Bearer) -> Result<Json<Vec<keys::Key>>> {
    bearer.read(&state, READ, keys::list).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    name: String,
    /// In seconds; without it, the key does not expire.
    expires_in: Option<u32>,
}

async fn create(state: App, bearer: Bearer, Json(new): Json<NewKey>) -> Result<(StatusCode, Json<Value>)> {
    let expires_at = new.expires_in.map(|seconds| now() + i64::from(seconds));
    let (id, secret) = bearer.write(&state, ADMIN, move |conn| keys::create(conn, &new.name, expires_at)).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id, "key": secret.to_string() }))))
}

async fn remove(state: App, bearer: Bearer, Path(id): Path<String>) -> Result<StatusCode> {
    bearer.write(&state, ADMIN, move |conn| keys::delete(conn, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

type KeyAnd = Path<(String, String)>;

async fn grant_module(state: App, bearer: Bearer, Path((id, module)): KeyAnd) -> Result<StatusCode> {
    bearer.write(&state, ADMIN, move |conn| keys::grant_module(conn, &id, &module)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke_module(state: App, bearer: Bearer, Path((id, module)): KeyAnd) -> Result<StatusCode> {
    bearer.write(&state, ADMIN, move |conn| keys::revoke_module(conn, &id, &module)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Permission {
    level: Level,
}

async fn grant_permission(
    state: App,
    bearer: Bearer,
    Path((id, resource)): KeyAnd,
    Json(Permission { level }): Json<Permission>,
) -> Result<StatusCode> {
    bearer.write(&state, ADMIN, move |conn| keys::grant_permission(conn, &id, &resource, level)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke_permission(state: App, bearer: Bearer, Path((id, resource)): KeyAnd) -> Result<StatusCode> {
    bearer.write(&state, ADMIN, move |conn| keys::revoke_permission(conn, &id, &resource)).await?;
    Ok(StatusCode::NO_CONTENT)
}
