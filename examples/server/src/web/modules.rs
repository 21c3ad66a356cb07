//! `/modules`: which there are, what becomes of them, and what is in them.

use axum::extract::{self, Path};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::State;
use super::bearer::Bearer;
use crate::access::{self, Access, Level};
use crate::error::{Error, Result};
use crate::modules::{self, Action};
use crate::now;
use crate::store::Store;

const READ: Access<'static> = Access::core("modules", Level::Read);
const ADMIN: Access<'static> = Access::core("modules", Level::Admin);

type App = extract::State<State>;

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/modules", get(list))
        .route("/modules/{id}/{action}", post(change))
        .route("/modules/{id}/items", get(items).post(add))
}

async fn list(state: App, bearer: Bearer) -> Result<Json<Vec<modules::State>>> {
    bearer.read(&state, READ, modules::list).await.map(Json)
}

async fn change(state: App, bearer: Bearer, Path((id, action)): Path<(String, Action)>) -> Result<StatusCode> {
    // A migration has transactions of its own, so this is another one.
    bearer.read(&state, ADMIN, |_| Ok(())).await?;
    let module = modules::find(&id)?;
    state.store.blocking(move |store| store.with(|conn| modules::change(conn, module, action, now()))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is in a module: all of it for a key, the user's own for an application that acts for a user.
async fn items(state: App, bearer: Bearer, Path(id): Path<String>) -> Result<Json<Value>> {
    let work = move |store: &Store| {
        store.read(|conn| {
            let access = Access { module: &id, resource: &id, level: Level::Read };
            let caller = access::authorize(conn, bearer.secret(), &access, now())?;
            Ok((modules::find(&id)?.list)(conn, caller.user_id.as_deref())?)
        })
    };
    state.store.blocking(work).await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewItem {
    text: String,
    /// Whose it is; an application that acts for a user leaves it out.
    user_id: Option<String>,
}

async fn add(
    state: App,
    bearer: Bearer,
    Path(id): Path<String>,
    Json(new): Json<NewItem>,
) -> Result<(StatusCode, Json<Value>)> {
    let work = move |store: &Store| {
        store.write(|conn| {
            let access = Access { module: &id, resource: &id, level: Level::Write };
            let caller = access::authorize(conn, bearer.secret(), &access, now())?;
            let user_id = match (caller.user_id, new.user_id) {
                (Some(user_id), None) | (None, Some(user_id)) => user_id,
                (Some(_), Some(_)) => return Err(Error::Invalid("`user_id` is who the token is of".to_owned())),
                (None, None) => return Err(Error::Invalid("`user_id` is missing".to_owned())),
            };
            Ok((modules::find(&id)?.add)(conn, &user_id, &new.text)?)
        })
    };
    Ok((StatusCode::CREATED, Json(state.store.blocking(work).await?)))
}
