//! The first page: the health of the database, modules, and the migrations of each set.

use axum::extract::{self, Path};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Form, Router};
use maud::{Markup, html};
use molos::{Migrator, SetStatus};
use serde::Deserialize;

use super::{Admin, time};
use crate::health::Health;
use crate::modules::{self, Action};
use crate::now;
use crate::store::Store;
use crate::web::State;
use crate::web::page::PageError;
use crate::web::status::health;

type App = extract::State<State>;

pub(super) fn routes() -> Router<State> {
    Router::new().route("/admin", get(show)).route("/admin/modules/{id}/{action}", post(change))
}

async fn show(state: App, admin: Admin) -> Result<Markup, PageError> {
    let health = health(&state).await?;
    let work = |store: &Store| {
        store.with(|conn| {
            let status = Migrator::new(modules::sets(conn)?).status(conn)?;
            Ok((modules::list(conn)?, status))
        })
    };
    let (modules, status) = state.store.blocking(work).await?;
    let content = html! {
        h1 { "Migrations" }
        (verdict(&health))
        section {
            h2 { "Modules" }
            table {
                thead { tr { th { "Module" } th { "State" } th { "Applied" } th { "" } } }
                tbody { @for module in &modules { (row(module, &admin)) } }
            }
        }
        @for set in status.sets() { (section(set)) }
    };
    Ok(admin.page("Migrations", &content))
}

fn verdict(health: &Health) -> Markup {
    html! {
        @if health.pending > 0 {
            p.problem role="alert" { (health.pending) " migrations are not applied: restart the server." }
        } @else if let Some(drift) = &health.drift {
            pre.problem role="alert" { (drift) }
        } @else {
            p.good { "Everything is applied, and the schema is what it should be." }
        }
    }
}

fn row(module: &modules::State, admin: &Admin) -> Markup {
    let button = |action: &str, name: &str| {
        let path = format!("/admin/modules/{}/{action}", module.id);
        html! { form method="post" action=(path) { (admin.csrf()) button.quiet { (name) } } }
    };
    html! {
        tr {
            td { strong { (module.id) } }
            td { (state(module)) }
            td { (module.migrations.len()) }
            td.actions {
                @if !module.known {
                    "not in this program"
                } @else if !module.installed {
                    (button("install", "Install"))
                } @else {
                    @if module.enabled { (button("disable", "Disable")) } @else { (button("enable", "Enable")) }
                    details {
                        summary { "Uninstall…" }
                        p { "Everything that is in it is deleted." }
                        (button("uninstall", "Uninstall"))
                    }
                }
            }
        }
    }
}

fn state(module: &modules::State) -> Markup {
    html! {
        @match (module.installed, module.enabled) {
            (false, _) => span.tag { "not installed" },
            (true, false) => span.tag { "disabled" },
            (true, true) => span.tag.good { "enabled" },
        }
    }
}

fn section(set: &SetStatus) -> Markup {
    html! {
        section {
            h2 { "Set " code { (set.set()) } }
            table.steps {
                thead {
                    tr {
                        th { "Version" }
                        th { "Name" }
                        th { "State" }
                        th { "Applied at (UTC)" }
                        th.number { "Took" }
                    }
                }
                tbody {
                    @for step in set.steps() {
                        tr {
                            td { (step.version) }
                            td { (step.name) }
                            td { span.tag.good[step.state == molos::State::Applied] { (step.state) } }
                            @if let Some(applied) = &step.applied {
                                td { (time(applied.applied_at)) }
                                td.number { (format!("{:.1} ms", applied.duration.as_secs_f64() * 1e3)) }
                            } @else { td {} td {} }
                        }
                    }
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Csrf {
    csrf: String,
}

async fn change(
    state: App,
    Admin(session): Admin,
    Path((id, action)): Path<(String, Action)>,
    Form(Csrf { csrf }): Form<Csrf>,
) -> Result<Redirect, PageError> {
    session.check_csrf(&csrf)?;
    let module = modules::find(&id)?;
    state.store.blocking(move |store| store.with(|conn| modules::change(conn, module, action, now()))).await?;
    Ok(Redirect::to("/admin"))
}
