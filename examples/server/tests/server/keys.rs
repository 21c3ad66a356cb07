//! `/keys`: who may change keys, and what becomes of it.

use axum::http::Method;
use molos_example_server::access::Level;
use molos_example_server::modules::Action;
use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn only_an_admin_of_keys_changes_keys() {
    let server = Server::new();
    let strangers = [
        server.key(&["core"], &[("keys", Level::Write)]),
        server.key(&["core"], &[("modules", Level::Admin)]),
        server.key(&["tasks"], &[("keys", Level::Admin)]),
        "molos_key_unknown".to_owned(),
        String::new(),
    ];
    let denied = server.get("/keys").await;
    assert_eq!((denied.status.as_u16(), &*denied.body), (401, r#"{"error":"access denied"}"#));
    assert_eq!(denied.headers["www-authenticate"], "Bearer");
    for key in &strangers {
        for (method, path, body) in [
            (Method::POST, "/keys", Some(json!({ "name": "mine" }))),
            (Method::DELETE, "/keys/any", None),
            (Method::PUT, "/keys/any/modules/*", None),
            (Method::DELETE, "/keys/any/modules/*", None),
            (Method::PUT, "/keys/any/permissions/*", Some(json!({ "level": "admin" }))),
            (Method::DELETE, "/keys/any/permissions/*", None),
        ] {
            let answer = server.call(method, path, key, body).await;
            assert_eq!((answer.status, &answer.body), (denied.status, &denied.body), "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_granted() {
    let server = Server::new();
    let admin = server.key(&["core"], &[("keys", Level::Admin)]);
    let created = server.call(Method::POST, "/keys", &admin, Some(json!({ "name": "ci" }))).await.json();
    let id = created["id"].as_str().expect("an id");
    for (path, body, status) in [
        (format!("/keys/{id}/modules/nothing"), None, 404),
        (format!("/keys/{id}/permissions/nothing"), Some(json!({ "level": "read" })), 404),
        (format!("/keys/{id}/permissions/tasks"), Some(json!({ "level": "owner" })), 422),
        (format!("/keys/{id}/permissions/tasks"), Some(json!({ "level": "read", "also": 1 })), 422),
        ("/keys/other/modules/tasks".to_owned(), None, 404),
    ] {
        let answer = server.call(Method::PUT, &path, &admin, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    for name in [" ", &"x".repeat(101)] {
        let answer = server.call(Method::POST, "/keys", &admin, Some(json!({ "name": name }))).await;
        assert_eq!(answer.status, 422);
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_does_what_it_is_granted_until_that_is_revoked() {
    let server = Server::new();
    server.module("tasks", Action::Install);
    let admin = server.key(&["core"], &[("keys", Level::Admin)]);
    let created = server.call(Method::POST, "/keys", &admin, Some(json!({ "name": "ci", "expires_in": 60 }))).await;
    assert_eq!(created.status, 201);
    let created = created.json();
    let (id, key) = (created["id"].as_str().expect("an id"), created["key"].as_str().expect("a key"));
    assert_eq!(server.call(Method::GET, "/modules/tasks/items", key, None).await.status, 401);

    let (module, permission) = (format!("/keys/{id}/modules/tasks"), format!("/keys/{id}/permissions/tasks"));
    assert_eq!(server.call(Method::PUT, &module, &admin, None).await.status, 204);
    assert_eq!(server.call(Method::PUT, &permission, &admin, Some(json!({ "level": "read" }))).await.status, 204);
    assert_eq!(server.call(Method::GET, "/modules/tasks/items", key, None).await.status, 200);

    let list = server.call(Method::GET, "/keys", &admin, None).await;
    assert!(!list.body.contains(key));
    let listed = list.json().as_array().expect("a list").iter().find(|key| key["id"] == id).cloned().expect("the key");
    assert_eq!((&listed["modules"], &listed["permissions"]), (&json!(["tasks"]), &json!({ "tasks": "read" })));

    assert_eq!(server.call(Method::DELETE, &permission, &admin, None).await.status, 204);
    assert_eq!(server.call(Method::GET, "/modules/tasks/items", key, None).await.status, 401);
    assert_eq!(server.call(Method::DELETE, &format!("/keys/{id}"), &admin, None).await.status, 204);
    assert_eq!(server.call(Method::DELETE, &format!("/keys/{id}"), &admin, None).await.status, 404);
}
