//! `/login` and `/logout`.

use axum::extract::{self, Query};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_extra::extract::CookieJar;
use maud::{Markup, html};
use serde::Deserialize;

use super::State;
use super::page::{PageError, STYLE, page};
use super::session::{Session, cookie, no_cookie};
use crate::error::Error;
use crate::store::Store;
use crate::{now, sessions};

const HOME: &str = "/admin";

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/", get(async || Redirect::to(HOME)))
        .route("/login", get(show).post(log_in))
        .route("/logout", post(log_out))
        .route("/style.css", get(async || ([(header::CONTENT_TYPE, "text/css")], STYLE)))
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

async fn show(Query(Next { next }): Query<Next>) -> Markup {
    form(next.as_deref(), None)
}

fn form(next: Option<&str>, problem: Option<&str>) -> Markup {
    let content = html! {
        main.narrow {
            h1 { "Log in" }
            @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
            form method="post" action="/login" {
                @if let Some(next) = next { input type="hidden" name="next" value=(next); }
                label { "Email" input type="email" name="email" required autofocus autocomplete="username"; }
                label { "Password" input type="password" name="password" required autocomplete="current-password"; }
                button { "Log in" }
            }
        }
    };
    page("Log in", &content)
}

#[derive(Deserialize)]
struct LogIn {
    email: String,
    password: String,
    next: Option<String>,
}

async fn log_in(
    state: extract::State<State>,
    jar: CookieJar,
    Form(LogIn { email, password, next }): Form<LogIn>,
) -> Result<Response, PageError> {
    let permit = state.passwords.clone().acquire_owned().await.map_err(|_| Error::Internal("shutting down"))?;
    let work = move |store: &Store| {
        let _permit = permit;
        sessions::log_in(store, &email, &password, now())
    };
    match state.store.blocking(work).await {
        Ok(secret) => {
            let next = next.as_deref().filter(|next| is_local(next)).unwrap_or(HOME);
            Ok((jar.add(cookie(&secret, state.cookies)), Redirect::to(next)).into_response())
        }
        Err(Error::Denied) => {
            let page = form(next.as_deref(), Some("The email or the password is wrong."));
            Ok((StatusCode::UNAUTHORIZED, page).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether this is a path of this server: `//example.org` and `/\example.org` are other servers to a browser.
fn is_local(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\n', '\r', '\t'])
}

#[derive(Deserialize)]
struct LogOut {
    csrf: String,
}

async fn log_out(
    state: extract::State<State>,
    session: Session,
    jar: CookieJar,
    Form(LogOut { csrf }): Form<LogOut>,
) -> Result<Response, PageError> {
    session.check_csrf(&csrf)?;
    state.store.blocking(move |store| store.write(|conn| sessions::log_out(conn, &session))).await?;
    Ok((jar.add(no_cookie()), Redirect::to("/login")).into_response())
}
