//! The schema as a picture.

use axum::Router;
use axum::extract;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use maud::{Markup, html};

use super::Admin;
use crate::diagram::diagram;
use crate::web::State;
use crate::web::page::PageError;

type App = extract::State<State>;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/admin/schema", get(show)).route("/admin/schema.svg", get(svg))
}

async fn show(admin: Admin) -> Markup {
    let content = html! {
        h1 { "Schema" }
        p.note {
            "Each table is to the right of what it refers to. "
            "Keys are bold; a question mark is a column that may be NULL. "
            a href="/admin/schema.svg" { "Only the picture" }
        }
        div.picture { img src="/admin/schema.svg" alt="The tables of the database, and what refers to what"; }
    };
    admin.page("Schema", &content)
}

async fn svg(state: App, _admin: Admin) -> Result<impl IntoResponse, PageError> {
    let svg = state.store.blocking(|store| store.read(diagram)).await?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg.into_string()))
}
