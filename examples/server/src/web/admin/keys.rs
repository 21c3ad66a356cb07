//! Keys and what they are granted.

use axum::extract::{self, Path};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use molos::rusqlite::Connection;
use serde::Deserialize;

use super::{Admin, time};
use crate::access::Level;
use crate::error::Error;
use crate::keys::{self, Key};
use crate::now;
use crate::web::State;
use crate::web::page::PageError;

type App = extract::State<State>;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/admin/keys", get(show).post(create)).route("/admin/keys/{id}", post(change))
}

async fn show(state: App, admin: Admin) -> Result<Markup, PageError> {
    render(&state, &admin, None).await
}

/// The page, with a key that is shown this once.
async fn render(state: &State, admin: &Admin, created: Option<&str>) -> Result<Markup, PageError> {
    let keys = state.store.blocking(|store| store.read(keys::list)).await?;
    let content = html! {
        h1 { "Keys" }
        @if let Some(key) = created {
            div.good role="status" {
                p { "This is the new key. It is shown this once: copy it now." }
                code #key { (key) }
            }
        }
        section {
            h2 { "New key" }
            form.row method="post" action="/admin/keys" {
                (admin.csrf())
                label { "Name" input name="name" required maxlength="100"; }
                label { "Expires in days" input type="number" name="days" min="1" max="36500" placeholder="never"; }
                button { "Create" }
            }
        }
        @for key in &keys { (section(key, admin)) }
    };
    Ok(admin.page("Keys", &content))
}

fn section(key: &Key, admin: &Admin) -> Markup {
    let path = format!("/admin/keys/{}", key.id);
    let expiry = key.expires_at.map(|at| (at <= now(), time(at)));
    let form = |action: &str, content: Markup| {
        html! {
            form method="post" action=(path) {
                (admin.csrf())
                input type="hidden" name="action" value=(action);
                (content)
            }
        }
    };
    let revoke = |action: &str, name: &str, value: &str| {
        form(
            action,
            html! {
                input type="hidden" name=(name) value=(value);
                button.quiet aria-label=(format!("Revoke {value}")) { "Revoke" }
            },
        )
    };
    html! {
        section id=(format!("key-{}", key.id)) {
            h2 { (key.name) " " code { (key.id) } }
            p.note {
                "Created " (time(key.created_at))
                @match expiry {
                    None => " · does not expire",
                    Some((false, at)) => { " · expires " (at) }
                    Some((true, at)) => { " · " span.tag.bad { "expired" } " " (at) }
                }
            }
            div.columns {
                div {
                    h3 { "Modules" }
                    ul.grants {
                        @for module in &key.modules {
                            li { code { (module) } (revoke("revoke_module", "module", module)) }
                        }
                        @if key.modules.is_empty() { li.note { "none" } }
                    }
                    (form("grant_module", html! {
                        (select("module", keys::modules()))
                        button { "Grant" }
                    }))
                }
                div {
                    h3 { "Permissions" }
                    ul.grants {
                        @for (resource, level) in &key.permissions {
                            li {
                                code { (resource) ":" (level) }
                                (revoke("revoke_permission", "resource", resource))
                            }
                        }
                        @if key.permissions.is_empty() { li.note { "none" } }
                    }
                    (form("grant_permission", html! {
                        (select("resource", keys::resources()))
                        (select("level", Level::EACH.into_iter().map(Level::name)))
                        button { "Grant" }
                    }))
                }
            }
            details {
                summary { "Delete…" }
                p { "Whatever uses this key stops working." }
                (form("delete", html! { button.bad { "Delete this key" } }))
            }
        }
    }
}

fn select(name: &str, options: impl Iterator<Item = &'static str>) -> Markup {
    html! { select name=(name) aria-label=(name) { @for option in options { option value=(option) { (option) } } } }
}

#[derive(Deserialize)]
struct NewKey {
    csrf: String,
    name: String,
    /// Empty if the field is.
    days: String,
}

async fn create(state: App, admin: Admin, Form(new): Form<NewKey>) -> Result<Markup, PageError> {
    admin.0.check_csrf(&new.csrf)?;
    let days = match new.days.trim() {
        "" => None,
        days => Some(days.parse::<u16>().map_err(|_| Error::Invalid("days are a number".to_owned()))?),
    };
    let expires_at = days.map(|days| now() + i64::from(days) * 24 * 60 * 60);
    let work = move |conn: &Connection| keys::create(conn, &new.name, expires_at);
    let (_, secret) = state.store.blocking(|store| store.write(work)).await?;
    render(&state, &admin, Some(&secret.to_string())).await
}

#[derive(Deserialize)]
struct Changed {
    csrf: String,
    #[serde(flatten)]
    change: Change,
}

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Change {
    GrantModule { module: String },
    RevokeModule { module: String },
    GrantPermission { resource: String, level: Level },
    RevokePermission { resource: String },
    Delete,
}

async fn change(
    state: App,
    Admin(session): Admin,
    Path(id): Path<String>,
    Form(Changed { csrf, change }): Form<Changed>,
) -> Result<Redirect, PageError> {
    session.check_csrf(&csrf)?;
    let work = move |conn: &Connection| {
        match change {
            Change::GrantModule { module } => keys::grant_module(conn, &id, &module)?,
            Change::RevokeModule { module } => keys::revoke_module(conn, &id, &module)?,
            Change::GrantPermission { resource, level } => keys::grant_permission(conn, &id, &resource, level)?,
            Change::RevokePermission { resource } => keys::revoke_permission(conn, &id, &resource)?,
            Change::Delete => {
                keys::delete(conn, &id)?;
                return Ok("/admin/keys".to_owned());
            }
        }
        Ok(format!("/admin/keys#key-{id}"))
    };
    let path = state.store.blocking(|store| store.write(work)).await?;
    Ok(Redirect::to(&path))
}
