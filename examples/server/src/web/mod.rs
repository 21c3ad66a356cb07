//! What the server answers to.

mod bearer;
mod keys;
mod modules;
mod status;

use std::sync::Arc;

use axum::Router;

use crate::health::Checkup;
use crate::store::Store;

/// What every request may use.
#[derive(Clone)]
pub struct State {
    pub store: Store,
    checkup: Arc<Checkup>,
}

pub fn router(store: Store) -> Router {
    Router::new()
        .merge(keys::routes())
        .merge(modules::routes())
        .merge(status::routes())
        .with_state(State { store, checkup: Arc::default() })
}
