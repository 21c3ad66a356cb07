//! What all pages have in common: their frame, their errors, and what keeps other sites out of them.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::error::Error;

pub(super) const STYLE: &str = include_str!("style.css");

/// No script at all, nothing from elsewhere, and no frame around it. What a form leads to is not limited: consent leads
/// to another site.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Molos" }
                link rel="stylesheet" href="/style.css";
            }
            body { (content) }
        }
    }
}

/// An error that a person sees.
pub struct PageError(Error);

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let status = self.0.status();
        if status.is_server_error() {
            tracing::error!(error = %self.0, "a page failed");
        }
        let content = html! { main.narrow { h1 { "That did not work" } p { (self.0.public()) } } };
        (status, page("Error", &content)).into_response()
    }
}

/// Refuses forms that another site sends, and keeps pages out of caches and frames.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    if request.method() == Method::POST && !is_same_site(request.headers()) {
        tracing::info!("a form came from another site");
        return (StatusCode::FORBIDDEN, "a form of another site").into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What the browser says of where a form is from. One that says nothing is none that has cookies of anyone.
fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, of)| of == host),
        (Some(_), None) => false,
    }
}
