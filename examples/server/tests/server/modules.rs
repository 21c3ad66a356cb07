//! `/modules`: what becomes of modules, and what is in them.

use axum::http::Method;
use molos_example_server::access::Level;
use molos_example_server::modules::Action;
use molos_example_server::store::Store;
use serde_json::{Value, json};

use crate::support::Server;

const ITEMS: &str = "/modules/tasks/items";

fn modules_admin(server: &Server) -> String {
    server.key(&["core"], &[("modules", Level::Admin)])
}

async fn states(server: &Server, key: &str) -> Value {
    let mut states = server.call(Method::GET, "/modules", key, None).await.json();
    for state in states.as_array_mut().expect("a list") {
        let migrations = state["migrations"].as_array().expect("a list").iter().map(|one| one["name"].clone());
        state["migrations"] = migrations.collect();
    }
    states
}

#[tokio::test]
async fn a_module_that_is_off_gives_no_access_and_only_admins_turn_it_on() {
    let server = Server::new();
    let user = server.key(&["*"], &[("tasks", Level::Admin), ("modules", Level::Write)]);
    let admin = modules_admin(&server);
    assert_eq!(server.call(Method::POST, "/modules/tasks/install", &user, None).await.status, 401);
    assert_eq!(server.call(Method::GET, ITEMS, &user, None).await.status, 401);
    assert_eq!(server.call(Method::POST, "/modules/tasks/enable", &admin, None).await.status, 409);
    assert_eq!(server.call(Method::POST, "/modules/other/install", &admin, None).await.status, 404);
    assert_eq!(server.call(Method::POST, "/modules/tasks/explode", &admin, None).await.status, 400);
    for (action, status) in [("install", 200), ("disable", 401), ("enable", 200), ("uninstall", 401), ("install", 200)]
    {
        let path = format!("/modules/tasks/{action}");
        assert_eq!(server.call(Method::POST, &path, &admin, None).await.status, 204, "{action}");
        assert_eq!(server.call(Method::GET, ITEMS, &user, None).await.status, status, "{action}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_item_is_told() {
    let server = Server::new();
    server.module("tasks", Action::Install);
    server.user("ada");
    let key = server.key(&["tasks"], &[("tasks", Level::Write)]);
    for body in [
        json!({ "text": "no user" }),
        json!({ "text": "", "user_id": "ada" }),
        json!({ "text": "nobody's", "user_id": "nobody" }),
        json!({ "text": 1, "user_id": "ada" }),
    ] {
        let answer = server.call(Method::POST, ITEMS, &key, Some(body)).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(!answer.body.contains("constraint"), "{}", answer.body);
    }
    let answer = server.call(Method::POST, ITEMS, &key, Some(json!({ "text": "write", "user_id": "ada" }))).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["title"]), (201, &json!("write")));
    assert_eq!(server.call(Method::GET, ITEMS, &key, None).await.json()[0]["title"], "write");
}

#[tokio::test]
async fn uninstalling_takes_back_the_modules_own_migrations_alone() {
    let server = Server::new();
    let admin = modules_admin(&server);
    for module in ["notes", "tasks"] {
        server.module(module, Action::Install);
    }
    let off = |id: &str| json!({ "id": id, "known": true, "installed": false, "enabled": false, "migrations": [] });
    let notes = json!({ "id": "notes", "known": true, "installed": true, "enabled": true, "migrations": ["pages"] });
    let tasks =
        json!({ "id": "tasks", "known": true, "installed": true, "enabled": true, "migrations": ["done", "items"] });
    assert_eq!(states(&server, &admin).await, json!([notes, tasks]));

    server.module("tasks", Action::Uninstall);
    assert_eq!(states(&server, &admin).await, json!([notes, off("tasks")]));
    let health = server.get("/healthz").await;
    assert_eq!((health.status.as_u16(), health.json()["sets"].as_array().map(Vec::len)), (200, Some(3)));
}

#[test]
fn what_is_pending_in_an_installed_module_is_applied_at_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("molos.db");
    let mut conn = molos::rusqlite::Connection::open(&path).expect("a database");
    drop(Store::open(&path).expect("a store"));
    molos::Migrator::new(&molos_example_tasks::MIGRATIONS).up_to(1).migrate(&mut conn).expect("the first of two");
    Store::open(&path).expect("a store");
    let applied: i64 = conn
        .query_row("SELECT count(*) FROM module_migrations WHERE module_name = 'tasks'", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(applied, 2);
}
