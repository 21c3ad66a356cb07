//! What the server answers to.

mod admin;
mod bearer;
mod keys;
mod login;
mod modules;
mod oauth;
mod page;
mod session;
mod status;

use std::sync::Arc;

use axum::Router;
use tokio::sync::Semaphore;

use crate::health::Checkup;
use crate::store::Store;

/// What every request may use.
#[derive(Clone)]
pub struct State {
    pub store: Store,
    checkup: Arc<Checkup>,
    /// Each password that is compared takes 19 MiB, so that not many are at once.
    passwords: Arc<Semaphore>,
    cookies: Cookies,
}

/// Over what the browser may send the cookie of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cookies {
    #[default]
    Http,
    /// Nothing but HTTPS.
    Https,
}

pub fn router(store: Store, cookies: Cookies) -> Router {
    let state = State { store, checkup: Arc::default(), passwords: Arc::new(Semaphore::new(4)), cookies };
    let pages =
        admin::routes().merge(login::routes()).merge(oauth::pages()).layer(axum::middleware::from_fn(page::protect));
    Router::new()
        .merge(keys::routes())
        .merge(modules::routes())
        .merge(oauth::routes())
        .merge(pages)
        .merge(status::routes())
        .with_state(state)
}
