//! OAuth: what is refused, what is revoked when something is used twice, and what a token may do.

use axum::http::Method;
use molos_example_server::access::{Access, Level, authorize};
use molos_example_server::modules::Action;
use molos_example_server::oauth::client;
use molos_example_server::purge::purge;
use molos_example_server::{now, secret};
use serde_json::{Value, json};

use crate::browser::{Browser, field, location};
use crate::support::{Answer, Server};

const REDIRECT: &str = "https://app.example/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const ITEMS: &str = "/modules/tasks/items";

/// A server with a public client, and a user who is logged in.
struct World {
    server: Server,
    user: Browser,
    client: String,
}

type Fields<'a> = Vec<(&'a str, &'a str)>;

impl World {
    async fn new() -> Self {
        let server = Server::new();
        server.module("tasks", Action::Install);
        let user = Browser::of_user(&server, "ada@example.org", false).await;
        let client = server.change(|conn| client::create(conn, "An app", &[REDIRECT.to_owned()], None));
        Self { server, user, client }
    }

    fn asked(&self) -> Fields<'_> {
        vec![
            ("client_id", &self.client),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", "tasks:write"),
            ("state", "a state"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    }

    async fn ask(&self, user: &Browser, asked: &[(&str, &str)]) -> Answer {
        user.get(&self.server, &format!("/oauth/authorize?{}", crate::browser::encode(asked))).await
    }

    /// What the client gets once the user consents.
    async fn code(&self) -> String {
        let page = self.ask(&self.user, &self.asked()).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let csrf = field(&page.body, "csrf");
        let mut fields = self.asked();
        fields.extend([("csrf", &*csrf), ("decision", "allow")]);
        let answer = self.user.post(&self.server, "/oauth/authorize", &fields).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let (code, rest) = location(&answer)
            .strip_prefix("https://app.example/callback?code=")
            .and_then(|query| query.split_once('&'))
            .expect("a code");
        assert_eq!(rest, "state=a+state");
        code.to_owned()
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        Browser::default().post(&self.server, "/oauth/token", fields).await
    }

    fn exchange<'a>(&'a self, code: &'a str) -> Fields<'a> {
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", &self.client),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ]
    }

    async fn tokens(&self) -> Value {
        let answer = self.token(&self.exchange(&self.code().await)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store");
        answer.json()
    }

    async fn refresh(&self, tokens: &Value) -> Answer {
        let token = tokens["refresh_token"].as_str().expect("a token");
        self.token(&[("grant_type", "refresh_token"), ("client_id", &self.client), ("refresh_token", token)]).await
    }

    async fn is_let_in(&self, tokens: &Value) -> bool {
        let token = tokens["access_token"].as_str().expect("a token");
        self.server.call(Method::GET, ITEMS, token, None).await.status == 200
    }
}

fn replace<'a>(fields: &Fields<'a>, name: &str, value: &'a str) -> Fields<'a> {
    fields.iter().map(|field| if field.0 == name { (field.0, value) } else { *field }).collect()
}

fn assert_refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status.is_client_error(), &answer.json()["error"]), (true, &json!(error)), "{}", answer.body);
}

#[tokio::test]
async fn nobody_is_sent_to_where_the_client_is_not_registered() {
    let world = World::new().await;
    let asked = world.asked();
    for uri in [
        "https://app.example/callback/",
        "https://app.example/callback?x=1",
        "https://app.example/call",
        "https://APP.example/callback",
        "http://app.example/callback",
        "https://evil.example/callback",
        "",
    ] {
        let answer = world.ask(&world.user, &replace(&asked, "redirect_uri", uri)).await;
        assert_eq!(answer.status, 422, "{uri}");
        assert!(!answer.headers.contains_key("location"));
    }
    let answer = world.ask(&world.user, &replace(&asked, "client_id", "other")).await;
    assert_eq!(answer.status, 422);
    assert_eq!(world.ask(&world.user, &asked[..1]).await.status, 400);
}

#[tokio::test]
async fn the_client_is_told_what_else_is_wrong() {
    let world = World::new().await;
    let asked = world.asked();
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("scope", "", "invalid_scope"),
        ("scope", "core:admin", "invalid_scope"),
        ("scope", "*:read", "invalid_scope"),
    ] {
        let answer = world.ask(&world.user, &replace(&asked, name, value)).await;
        assert_eq!(location(&answer), format!("{REDIRECT}?error={error}&state=a+state"), "{name}={value}");
    }
}

#[tokio::test]
async fn there_is_no_code_without_a_user_who_consents_on_our_page() {
    let world = World::new().await;
    let answer = world.ask(&Browser::default(), &world.asked()).await;
    assert!(location(&answer).starts_with("/login?next=%2Foauth%2Fauthorize%3F"), "{}", location(&answer));

    let page = world.ask(&world.user, &world.asked()).await;
    assert!(page.headers["content-security-policy"].to_str().expect("text").contains("frame-ancestors 'none'"));
    let csrf = field(&page.body, "csrf");
    let mut fields = world.asked();
    fields.extend([("csrf", &*csrf), ("decision", "allow")]);
    let eve = Browser::of_user(&world.server, "eve@example.org", false).await;
    assert_eq!(eve.post(&world.server, "/oauth/authorize", &fields).await.status, 401);
    let stranger = Browser::default().post(&world.server, "/oauth/authorize", &fields).await;
    assert!(location(&stranger).starts_with("/login"));

    let denied = world.user.post(&world.server, "/oauth/authorize", &replace(&fields, "decision", "deny")).await;
    assert_eq!(location(&denied), format!("{REDIRECT}?error=access_denied&state=a+state"));
    let elsewhere = replace(&fields, "redirect_uri", "https://evil.example/");
    assert_eq!(world.user.post(&world.server, "/oauth/authorize", &elsewhere).await.status, 422);
}

#[tokio::test]
async fn a_code_is_for_its_client_its_redirect_uri_its_verifier_and_a_minute() {
    let world = World::new().await;
    let other = world.server.change(|conn| client::create(conn, "Another", &[REDIRECT.to_owned()], None));
    let code = world.code().await;
    let good = world.exchange(&code);
    for (name, value, error) in [
        ("grant_type", "password", "unsupported_grant_type"),
        ("grant_type", "", "unsupported_grant_type"),
        ("client_id", "unknown", "invalid_client"),
        ("client_id", &*other, "invalid_grant"),
        ("code", "molos_code_unknown", "invalid_grant"),
        ("redirect_uri", "https://app.example/other", "invalid_grant"),
        ("code_verifier", "", "invalid_grant"),
        ("code_verifier", CHALLENGE, "invalid_grant"),
    ] {
        assert_refused(&world.token(&replace(&good, name, value)).await, error);
    }
    world.server.change(|conn| {
        let lifetime: i64 =
            conn.query_row("SELECT expires_at - created_at FROM oauth_authorization_codes", [], |row| row.get(0))?;
        assert!((59..=60).contains(&lifetime), "{lifetime}");
        Ok(conn.execute("UPDATE oauth_authorization_codes SET expires_at = unixepoch()", [])?)
    });
    assert_refused(&world.token(&good).await, "invalid_grant");
}

#[tokio::test]
async fn a_code_that_is_used_twice_revokes_what_it_gave() {
    let world = World::new().await;
    let code = world.code().await;
    let tokens = world.token(&world.exchange(&code)).await.json();
    assert!(world.is_let_in(&tokens).await);
    let next = world.refresh(&tokens).await.json();
    assert!(world.is_let_in(&next).await);

    assert_refused(&world.token(&world.exchange(&code)).await, "invalid_grant");
    assert!(!world.is_let_in(&tokens).await);
    assert!(!world.is_let_in(&next).await);
    assert_refused(&world.refresh(&next).await, "invalid_grant");
}

#[tokio::test]
async fn of_two_who_use_a_code_at_once_one_gets_tokens_and_neither_keeps_them() {
    let world = World::new().await;
    let code = world.code().await;
    let fields = world.exchange(&code);
    let (one, other) = tokio::join!(world.token(&fields), world.token(&fields));
    let (winner, loser) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!(winner.status, 200);
    assert_refused(&loser, "invalid_grant");
    assert!(!world.is_let_in(&winner.json()).await);
}

#[tokio::test]
async fn what_has_ended_is_purged_and_a_used_code_is_still_known() {
    let world = World::new().await;
    let code = world.code().await;
    let tokens = world.token(&world.exchange(&code)).await.json();
    let count = || -> (i64, i64, i64) {
        world.server.change(|conn| {
            let count = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM oauth_tokens), \
                         (SELECT count(*) FROM oauth_authorization_codes)";
            Ok(conn.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
        })
    };
    assert_eq!(count(), (1, 2, 1));
    let day = 24 * 60 * 60;
    for (later, left) in [(0, (1, 2, 1)), (day, (0, 1, 1)), (29 * day, (0, 1, 1)), (31 * day, (0, 0, 0))] {
        world.server.change(|conn| purge(conn, now() + later));
        assert_eq!(count(), left, "{later}");
        if later == 29 * day {
            assert_refused(&world.token(&world.exchange(&code)).await, "invalid_grant");
            assert_refused(&world.refresh(&tokens).await, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_revokes_its_family_and_no_other() {
    let world = World::new().await;
    let (first, bystander) = (world.tokens().await, world.tokens().await);
    let second = world.refresh(&first).await.json();
    let third = world.refresh(&second).await.json();
    assert!(world.is_let_in(&third).await);

    assert_refused(&world.refresh(&first).await, "invalid_grant");
    for tokens in [&first, &second, &third] {
        assert!(!world.is_let_in(tokens).await);
        assert_refused(&world.refresh(tokens).await, "invalid_grant");
    }
    assert!(world.is_let_in(&bystander).await);
    assert_eq!(world.refresh(&bystander).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_is_for_its_client_and_is_no_access_token() {
    let world = World::new().await;
    let tokens = world.tokens().await;
    let other = world.server.change(|conn| client::create(conn, "Another", &[REDIRECT.to_owned()], None));
    let refresh = tokens["refresh_token"].as_str().expect("a token");
    let access = tokens["access_token"].as_str().expect("a token");
    for (client, token) in [(&other, refresh), (&world.client, access)] {
        let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        assert_refused(&world.token(&fields).await, "invalid_grant");
    }
    assert_eq!(world.server.call(Method::GET, ITEMS, refresh, None).await.status, 401);
    assert_eq!(world.refresh(&tokens).await.status, 200);
}

#[tokio::test]
async fn a_client_with_a_secret_has_to_show_it() {
    let world = World::new().await;
    let secret = client::new_secret().expect("a secret");
    let id = world.server.change(|conn| client::create(conn, "A server", &[REDIRECT.to_owned()], Some(&secret)));
    let fields = |secret: Option<&'static str>| {
        let mut fields = vec![("grant_type", "refresh_token"), ("client_id", &*id), ("refresh_token", "none")];
        fields.extend(secret.map(|secret| ("client_secret", secret)));
        fields
    };
    assert_refused(&world.token(&fields(None)).await, "invalid_client");
    assert_refused(&world.token(&fields(Some("wrong"))).await, "invalid_client");
    let secret = secret.to_string();
    let mut right = fields(None);
    right.push(("client_secret", &secret));
    assert_refused(&world.token(&right).await, "invalid_grant");
}

#[tokio::test]
async fn a_token_does_what_its_scope_says_for_its_user_until_it_ends() {
    let world = World::new().await;
    let tokens = world.tokens().await;
    let token = tokens["access_token"].as_str().expect("a token");
    for path in ["/modules", "/keys", "/modules/notes/items", "/modules/core/items"] {
        assert_eq!(world.server.call(Method::GET, path, token, None).await.status, 401, "{path}");
    }
    for (module, resource) in [("tasks", "keys"), ("tasks", "*"), ("core", "tasks"), ("notes", "tasks")] {
        let access = Access { module, resource, level: Level::Read };
        let result = world.server.store.read(|conn| authorize(conn, Some(token), &access, now()));
        assert!(result.is_err(), "{access:?}");
    }
    world.server.user("eve");
    let for_eve = json!({ "text": "not mine", "user_id": "eve" });
    assert_eq!(world.server.call(Method::POST, ITEMS, token, Some(for_eve)).await.status, 422);
    world.server.change(|conn| Ok(molos_example_tasks::add(conn, "eve", "hers")?));
    let added = world.server.call(Method::POST, ITEMS, token, Some(json!({ "text": "mine" }))).await;
    assert_eq!(added.status, 201);
    let items = world.server.call(Method::GET, ITEMS, token, None).await.json();
    assert_eq!((items.as_array().map(Vec::len), &items[0]["title"]), (Some(1), &json!("mine")));

    world.server.module("tasks", Action::Disable);
    assert!(!world.is_let_in(&tokens).await);
    world.server.module("tasks", Action::Enable);
    assert!(world.is_let_in(&tokens).await);
    world.server.change(|conn| Ok(conn.execute("UPDATE oauth_tokens SET expires_at = unixepoch()", [])?));
    assert!(!world.is_let_in(&tokens).await);
    assert_refused(&world.refresh(&tokens).await, "invalid_grant");
}

#[tokio::test]
async fn a_client_revokes_its_own_tokens_alone_and_nothing_is_stored_plain() {
    let world = World::new().await;
    let tokens = world.tokens().await;
    let other = world.server.change(|conn| client::create(conn, "Another", &[REDIRECT.to_owned()], None));
    let refresh = tokens["refresh_token"].as_str().expect("a token");
    for (client, is_let_in) in [(&other, true), (&world.client, false)] {
        let answer =
            Browser::default().post(&world.server, "/oauth/revoke", &[("client_id", client), ("token", refresh)]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(world.is_let_in(&tokens).await, is_let_in);
    }
    let hashes: Vec<[u8; 32]> = world.server.change(|conn| {
        let mut statement = conn.prepare("SELECT token_hash FROM oauth_tokens")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    assert!(hashes.contains(&secret::hash(refresh)));
}
