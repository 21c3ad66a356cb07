//! Sessions: who gets one, who does not, and what other sites cannot do with it.

use axum::body::Body;
use axum::http::header;
use molos_example_server::web::Cookies;

use crate::browser::{Browser, PASSWORD, cookie, encode, field, location};
use crate::support::Server;

const EMAIL: &str = "ada@example.org";

#[tokio::test]
async fn whether_the_email_or_the_password_is_wrong_is_not_told() {
    let server = Server::new();
    Browser::of_user(&server, EMAIL, false).await;
    let nobody = Browser::default();
    let cases = [(EMAIL, "wrong horse"), ("eve@example.org", PASSWORD), (EMAIL, ""), ("", ""), ("' OR 1 = 1 --", "x")];
    for (email, password) in cases {
        let answer = nobody.post(&server, "/login", &[("email", email), ("password", password)]).await;
        assert_eq!(answer.status, 401, "{email}");
        assert!(answer.body.contains("The email or the password is wrong."));
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let server = Server::new();
    let ada = Browser::of_user(&server, EMAIL, true).await;
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")]
    {
        for path in ["/login", "/logout"] {
            let fields = [("email", EMAIL), ("password", PASSWORD)];
            let request = ada.form(path).header(name, value).header("host", "molos.example");
            let answer = server.send(request.body(Body::from(encode(&fields))).expect("a request")).await;
            assert_eq!(answer.status, 403, "{path} {value}");
        }
    }
    for csrf in ["", "0", &"0".repeat(64)] {
        assert_eq!(ada.post(&server, "/logout", &[("csrf", csrf)]).await.status, 401);
    }
}

#[tokio::test]
async fn one_is_sent_on_within_the_server_alone() {
    let server = Server::new();
    Browser::of_user(&server, EMAIL, false).await;
    let cases = [
        ("/oauth/authorize?x=1", "/oauth/authorize?x=1"),
        ("//evil.example", "/admin"),
        ("/\\evil.example", "/admin"),
        ("https://evil.example", "/admin"),
        ("/\t/evil.example", "/admin"),
        ("", "/admin"),
    ];
    for (next, expected) in cases {
        let fields = [("email", EMAIL), ("password", PASSWORD), ("next", next)];
        let answer = Browser::default().post(&server, "/login", &fields).await;
        assert_eq!((answer.status.as_u16(), location(&answer)), (303, expected));
    }
}

#[tokio::test]
async fn behind_https_a_cookie_is_sent_over_nothing_else_and_without_it_there_would_be_none() {
    for (cookies, is_secure) in [(Cookies::Https, true), (Cookies::Http, false)] {
        let server = Server::with_cookies(cookies);
        Browser::of_user(&server, EMAIL, false).await;
        let answer = Browser::default().post(&server, "/login", &[("email", EMAIL), ("password", PASSWORD)]).await;
        let header = answer.headers[header::SET_COOKIE].to_str().expect("text");
        assert_eq!(header.contains("; Secure"), is_secure, "{header}");
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_left_or_has_lasted_for_half_a_day() {
    let server = Server::new();
    let ada = Browser::of_user(&server, EMAIL, true).await;
    let csrf = field(&ada.get(&server, "/admin").await.body, "csrf");
    assert_eq!(ada.post(&server, "/logout", &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(location(&ada.get(&server, "/admin").await), "/login?next=%2Fadmin");

    let eve = Browser::of_user(&server, "eve@example.org", true).await;
    assert_eq!(eve.get(&server, "/admin").await.status, 200);
    let lasts: i64 = server.change(|conn| {
        conn.execute("UPDATE sessions SET expires_at = expires_at - created_at", [])?;
        Ok(conn.query_row("SELECT expires_at FROM sessions", [], |row| row.get(0))?)
    });
    // The second may have changed between the two times.
    assert!((12 * 60 * 60 - 1..=12 * 60 * 60).contains(&lasts), "{lasts}");
    assert_eq!(eve.get(&server, "/admin").await.status, 303);
}

#[tokio::test]
async fn a_session_is_a_cookie_that_no_script_reads_and_that_the_database_does_not_have() {
    let server = Server::new();
    Browser::of_user(&server, EMAIL, false).await;
    let answer = Browser::default().post(&server, "/login", &[("email", EMAIL), ("password", PASSWORD)]).await;
    let header = answer.headers[header::SET_COOKIE].to_str().expect("text");
    assert!(header.contains("; HttpOnly") && header.contains("; SameSite=Lax") && header.contains("; Path=/"));
    let cookie = cookie(&answer);
    let secret = cookie.strip_prefix("molos_session=").expect("a cookie");
    let stored: Vec<String> = server.change(|conn| {
        let mut statement = conn.prepare("SELECT token FROM sessions")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    assert_eq!(stored.len(), 2);
    assert!(stored.iter().all(|token| token.len() == 64 && !secret.contains(token.as_str())));
}
