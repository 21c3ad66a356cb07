//! `/admin`: pages for users who are admins, without a script.

mod keys;
mod modules;
mod schema;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use super::State;
use super::page::page;
use super::session::Session;

pub(super) fn routes() -> Router<State> {
    modules::routes().merge(keys::routes()).merge(schema::routes())
}

/// A session of an admin.
pub struct Admin(Session);

impl FromRequestParts<State> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let session = <Session as FromRequestParts<State>>::from_request_parts(parts, state).await?;
        if session.is_admin {
            return Ok(Self(session));
        }
        tracing::info!(user = session.user_id, "access denied: the user is no admin");
        let content = html! {
            main.narrow {
                h1 { "Not for you" }
                p { (session.email) " is no admin." }
                (log_out(&session))
            }
        };
        Err((StatusCode::FORBIDDEN, page("Denied", &content)).into_response())
    }
}

impl Admin {
    fn page(&self, title: &str, content: &Markup) -> Markup {
        let links = [("/admin", "Migrations"), ("/admin/keys", "Keys"), ("/admin/schema", "Schema")];
        let content = html! {
            header {
                strong { "Molos" }
                nav {
                    @for (path, name) in links {
                        a href=(path) aria-current=[(name == title).then_some("page")] { (name) }
                    }
                }
                span.who { (self.0.email) }
                (log_out(&self.0))
            }
            main { (content) }
        };
        page(title, &content)
    }

    fn csrf(&self) -> Markup {
        csrf(&self.0)
    }
}

fn csrf(session: &Session) -> Markup {
    html! { input type="hidden" name="csrf" value=(session.csrf()); }
}

fn log_out(session: &Session) -> Markup {
    html! { form method="post" action="/logout" { (csrf(session)) button.quiet { "Log out" } } }
}

/// A time as a person reads it.
fn time(seconds: i64) -> Markup {
    let since = std::time::Duration::from_secs(seconds.try_into().unwrap_or_default());
    let time = std::time::UNIX_EPOCH.checked_add(since).map(humantime::format_rfc3339_seconds);
    // What is beyond the year 9999 has no such text.
    let text = time.filter(|_| seconds < 253_402_300_800).map(|time| time.to_string().replace(['T', 'Z'], " "));
    html! { time { (text.as_deref().unwrap_or("far in the future")) } }
}
