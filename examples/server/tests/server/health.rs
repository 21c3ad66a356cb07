//! `/healthz`: what is wrong with the database, and that nothing is.

use crate::support::Server;

fn change(server: &Server, sql: &str) {
    server.change(|conn| Ok(conn.execute_batch(sql)?));
}

#[tokio::test]
async fn drift_is_503_until_it_is_put_back() {
    let server = Server::new();
    change(&server, "DROP INDEX sessions_user_id");
    let answer = server.get("/healthz").await;
    assert_eq!(answer.status, 503);
    let drift = answer.json()["drift"].as_str().expect("drift").to_owned();
    assert!(drift.contains("index sessions_user_id is missing"), "{drift}");

    change(&server, "CREATE INDEX sessions_user_id ON sessions (user_id)");
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_pending_migration_is_503() {
    let server = Server::new();
    change(&server, "DELETE FROM _molos_migrations WHERE set_name = 'core' AND version = 4");
    let answer = server.get("/healthz").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["pending"]), (503, &1.into()));
}

#[tokio::test]
async fn each_set_has_its_version() {
    let answer = Server::new().get("/healthz").await;
    assert_eq!(answer.status, 200);
    let expected = serde_json::json!({
        "sets": [
            { "set": "core", "version": 4, "pending": 0 },
            { "set": "server", "version": 1, "pending": 0 },
        ],
        "pending": 0,
        "drift": null,
    });
    assert_eq!(answer.json(), expected);
}
