//! What a browser does, without one: cookies, forms, and where it is sent.

use axum::body::Body;
use axum::http::{Request, header};
use molos_example_server::users;

use crate::support::{Answer, Server};

pub const PASSWORD: &str = "correct horse";

/// A browser with the session of someone, or of nobody.
#[derive(Default)]
pub struct Browser {
    pub cookie: String,
}

impl Browser {
    /// Creates a user who may be an admin, and logs them in.
    pub async fn of_user(server: &Server, email: &str, is_admin: bool) -> Self {
        let hash = users::hash_password(PASSWORD).expect("a hash");
        server.change(|conn| {
            let id = users::create(conn, email, &hash, None)?;
            if is_admin { users::make_admin(conn, &id) } else { Ok(()) }
        });
        let mut browser = Self::default();
        let answer = browser.post(server, "/login", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303);
        browser.cookie = cookie(&answer);
        browser
    }

    pub async fn get(&self, server: &Server, path: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, &self.cookie);
        server.send(request.body(Body::empty()).expect("a request")).await
    }

    pub async fn post(&self, server: &Server, path: &str, fields: &[(&str, &str)]) -> Answer {
        server.send(self.form(path).body(Body::from(encode(fields))).expect("a request")).await
    }

    pub fn form(&self, path: &str) -> axum::http::request::Builder {
        Request::post(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
    }
}

pub fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// What the browser sends back of a cookie.
pub fn cookie(answer: &Answer) -> String {
    let header = answer.headers[header::SET_COOKIE].to_str().expect("text");
    header.split(';').next().expect("a cookie").to_owned()
}

pub fn location(answer: &Answer) -> &str {
    answer.headers[header::LOCATION].to_str().expect("text")
}

/// The value of a field that is hidden in a page.
pub fn field(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&start).expect("a field");
    rest.split('"').next().expect("a value").to_owned()
}
