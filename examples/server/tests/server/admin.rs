//! The admin page: who sees it, and what its forms do.

use axum::http::header;
use molos_example_server::access::Level;
use molos_example_server::modules::Action;

use crate::browser::{Browser, field, location};
use crate::support::Server;

const PAGES: [&str; 4] = ["/admin", "/admin/keys", "/admin/schema", "/admin/schema.svg"];

async fn admin(server: &Server) -> Browser {
    Browser::of_user(server, "ada@example.org", true).await
}

#[tokio::test]
async fn nobody_but_admins_sees_it_or_uses_its_forms() {
    let server = Server::new();
    let eve = Browser::of_user(&server, "eve@example.org", false).await;
    let (_, forms) = (admin(&server).await, ["/admin/keys", "/admin/keys/any", "/admin/modules/tasks/install"]);
    for path in PAGES {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 303);
        assert!(location(&answer).starts_with("/login?next=%2Fadmin"));
        assert_eq!(eve.get(&server, path).await.status, 403);
    }
    let csrf = field(&eve.get(&server, "/admin").await.body, "csrf");
    for path in forms {
        assert_eq!(eve.post(&server, path, &[("csrf", &csrf), ("name", "mine"), ("days", "")]).await.status, 403);
    }
}

#[tokio::test]
async fn a_form_without_its_token_changes_nothing() {
    let server = Server::new();
    let ada = admin(&server).await;
    let id = server.change(|conn| crate::support::key(conn, &[], &[])).0;
    let key = format!("/admin/keys/{id}");
    for csrf in ["", "0000"] {
        let cases: [(&str, &[(&str, &str)]); 4] = [
            ("/admin/keys", &[("name", "mine"), ("days", "")]),
            (&key, &[("action", "grant_module"), ("module", "*")]),
            (&key, &[("action", "delete")]),
            ("/admin/modules/tasks/install", &[]),
        ];
        for (path, fields) in cases {
            let mut fields = fields.to_vec();
            fields.push(("csrf", csrf));
            assert_eq!(ada.post(&server, path, &fields).await.status, 401, "{path}");
        }
    }
    let keys = server.store.read(molos_example_server::keys::list).expect("keys");
    assert!(keys.len() == 1 && keys[0].modules.is_empty());
}

#[tokio::test]
async fn what_users_write_is_text() {
    let server = Server::new();
    let ada = admin(&server).await;
    let name = "<script>alert('x')</script>\"&";
    server.change(|conn| molos_example_server::keys::create(conn, name, None).map(drop));
    let page = ada.get(&server, "/admin/keys").await;
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script"));
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"));

    server.change(|conn| Ok(conn.execute_batch("CREATE TABLE \"<script>\" (\"</svg>\" \"a & b\")")?));
    let svg = ada.get(&server, "/admin/schema.svg").await;
    assert!(svg.body.contains("&lt;script&gt;") && !svg.body.contains("<script"));
}

#[tokio::test]
async fn a_key_is_created_shown_once_granted_and_deleted() {
    let server = Server::new();
    let ada = admin(&server).await;
    server.module("tasks", Action::Install);
    let csrf = field(&ada.get(&server, "/admin/keys").await.body, "csrf");
    let created = ada.post(&server, "/admin/keys", &[("csrf", &csrf), ("name", "ci"), ("days", "1")]).await;
    let (_, rest) = created.body.split_once("<code id=\"key\">").expect("a key");
    let key = rest.split('<').next().expect("a key").to_owned();
    assert!(!ada.get(&server, "/admin/keys").await.body.contains(&key));

    let id = server.store.read(molos_example_server::keys::list).expect("keys")[0].id.clone();
    let path = format!("/admin/keys/{id}");
    let change = async |fields: &[(&str, &str)]| {
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", &*csrf)]).collect();
        ada.post(&server, &path, &fields).await.status.as_u16()
    };
    let items = async || server.call(axum::http::Method::GET, "/modules/tasks/items", &key, None).await.status.as_u16();
    assert_eq!(change(&[("action", "grant_module"), ("module", "nothing")]).await, 404);
    assert_eq!(change(&[("action", "become_root")]).await, 422);
    assert_eq!(change(&[("action", "grant_module"), ("module", "tasks")]).await, 303);
    assert_eq!(items().await, 401);
    assert_eq!(change(&[("action", "grant_permission"), ("resource", "tasks"), ("level", "read")]).await, 303);
    assert_eq!(items().await, 200);
    assert_eq!(change(&[("action", "revoke_module"), ("module", "tasks")]).await, 303);
    assert_eq!(items().await, 401);
    assert_eq!(change(&[("action", "delete")]).await, 303);
    assert_eq!(change(&[("action", "delete")]).await, 404);
}

#[tokio::test]
async fn every_migration_is_there_with_its_state_and_time_and_every_foreign_key_in_the_picture() {
    let server = Server::new();
    let ada = admin(&server).await;
    let page = ada.get(&server, "/admin").await;
    assert!(page.body.contains("Everything is applied"));
    for name in ["initial", "oauth", "mcp", "rename_allowed_modules_to_allowed_scopes", "admins"] {
        assert!(
            page.body.contains(&format!("<td>{name}</td><td><span class=\"tag good\">applied</span></td><td><time>2"))
        );
    }
    assert_eq!(page.body.matches("Uninstall…").count(), 0);
    let csrf = field(&page.body, "csrf");
    assert_eq!(ada.post(&server, "/admin/modules/notes/install", &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(ada.get(&server, "/admin").await.body.matches("Uninstall…").count(), 1);

    server.change(|conn| Ok(conn.execute_batch("DROP INDEX sessions_user_id")?));
    assert!(ada.get(&server, "/admin").await.body.contains("index sessions_user_id is missing"));

    let svg = ada.get(&server, "/admin/schema.svg").await;
    assert_eq!(svg.headers[header::CONTENT_TYPE], "image/svg+xml");
    let (tables, keys): (u32, u32) = server.change(|conn| {
        let count = "SELECT (SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name <> '_molos_migrations'), \
                     (SELECT count(*) FROM sqlite_schema, pragma_foreign_key_list(sqlite_schema.name))";
        Ok(conn.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    });
    assert_eq!(svg.body.matches("data-table=").count(), tables as usize);
    assert_eq!(svg.body.matches("fill=\"none\"").count(), keys as usize);
}

#[tokio::test]
async fn metrics_are_of_statements_and_hold_no_values() {
    let server = Server::new();
    let key = server.key(&["core"], &[("keys", Level::Read)]);
    server.call(axum::http::Method::GET, "/keys", &key, None).await;
    let metrics = server.get("/metrics").await;
    assert_eq!(metrics.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert!(metrics.body.contains("molos_set_version{set=\"core\"} 4\n"));
    assert!(metrics.body.contains("molos_statement_runs_total{sql=\"SELECT id, key_hash, expires_at,"));
    assert!(!metrics.body.contains(&key));
    for line in metrics.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok() && name.ends_with("\"}"), "{line}");
    }
}
