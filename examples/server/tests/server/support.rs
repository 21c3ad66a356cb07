//! A server without a socket, on a database of its own.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use molos::rusqlite::Connection;
use molos::{Insert as _, Migrator};
use molos_example_server::access::Level;
use molos_example_server::core::tables::NewUsers;
use molos_example_server::error::Result;
use molos_example_server::modules::{self, Action};
use molos_example_server::store::Store;
use molos_example_server::web::{self, Cookies};
use molos_example_server::{keys, now};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::log;

pub struct Server {
    pub store: Store,
    router: Router,
    _directory: TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

impl Server {
    pub fn new() -> Self {
        Self::with_cookies(Cookies::Http)
    }

    pub fn with_cookies(cookies: Cookies) -> Self {
        log::keep();
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("molos.db")).expect("a database");
        Self { router: web::router(store.clone(), cookies), store, _directory: directory }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        let body = String::from_utf8(body.to_vec()).expect("text");
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    /// Sends JSON, with a key.
    pub async fn call(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> Answer {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {key}"));
        let request = match body {
            None => request.body(Body::empty()),
            Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        };
        self.send(request.expect("a request")).await
    }

    /// Changes the database from outside of the server.
    pub fn change<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> T {
        self.store.with(work).expect("a change")
    }

    pub fn key(&self, modules: &[&str], permissions: &[(&str, Level)]) -> String {
        self.change(|conn| key(conn, modules, permissions)).1
    }

    pub fn module(&self, id: &str, action: Action) {
        self.change(|conn| modules::change(conn, modules::find(id)?, action, now()));
    }

    pub fn user(&self, id: &str) {
        let email = format!("{id}@example.org");
        self.change(|conn| Ok(NewUsers::new(id, &email, "unusable").insert(conn)?));
    }
}

/// A new key: its id and its secret.
pub fn key(conn: &mut Connection, modules: &[&str], permissions: &[(&str, Level)]) -> Result<(String, String)> {
    let (id, secret) = keys::create(conn, "a key", None)?;
    for module in modules {
        keys::grant_module(conn, &id, module)?;
    }
    for (resource, level) in permissions {
        keys::grant_permission(conn, &id, resource, *level)?;
    }
    Ok((id, secret.to_string()))
}

/// A migrated database without a server.
pub fn database() -> Connection {
    log::keep();
    let mut conn = Connection::open_in_memory().expect("a database");
    let sets = modules::sets(&conn).expect("sets");
    Migrator::new(sets).migrate(&mut conn).expect("a migrated database");
    conn.pragma_update(None, "foreign_keys", true).expect("foreign keys");
    conn
}
