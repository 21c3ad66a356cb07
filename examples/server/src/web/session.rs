//! The session that a request belongs to, from its cookie.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::page::PageError;
use super::{Cookies, State};
use crate::error::Result;
use crate::secret::Secret;
use crate::{now, sessions};

pub(super) use crate::sessions::Session;

const COOKIE: &str = "molos_session";

/// Not `Strict`: an application that sends its user here to consent would find them logged out.
pub(super) fn cookie(secret: &Secret, cookies: Cookies) -> Cookie<'static> {
    Cookie::build((COOKIE, secret.to_string()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(cookies == Cookies::Https)
        .build()
}

pub(super) fn no_cookie() -> Cookie<'static> {
    Cookie::build(COOKIE).path("/").removal().build()
}

/// Where to log in, and to come back from.
pub(super) fn log_in_first(uri: &Uri) -> Redirect {
    let next = uri.path_and_query().map_or("/", |path| path.as_str());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    Redirect::to(&format!("/login?{query}"))
}

async fn find(parts: &Parts, state: &State) -> Result<Option<Session>> {
    let jar = CookieJar::from_headers(&parts.headers);
    let Some(cookie) = jar.get(COOKIE) else { return Ok(None) };
    let secret = cookie.value().to_owned();
    state.store.blocking(move |store| store.read(|conn| sessions::find(conn, &secret, now()))).await
}

impl OptionalFromRequestParts<State> for Session {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Option<Self>, PageError> {
        Ok(find(parts, state).await?)
    }
}

impl FromRequestParts<State> for Session {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        match find(parts, state).await {
            Ok(Some(session)) => Ok(session),
            Ok(None) => Err(log_in_first(&parts.uri).into_response()),
            Err(error) => Err(PageError::from(error).into_response()),
        }
    }
}
