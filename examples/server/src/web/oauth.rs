//! `/oauth`: the endpoints of RFC 6749 and 7009, and the page where a user consents.

use axum::extract::{self, Query};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use maud::{Markup, html};
use molos::rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::State;
use super::page::{PageError, page};
use super::session::{Session, log_in_first};
use crate::error::{Error, Result};
use crate::now;
use crate::oauth::Refusal;
use crate::oauth::client::{self, Client};
use crate::oauth::code::{self, Consent};
use crate::oauth::scope::Scope;
use crate::oauth::token::{self, ACCESS_SECONDS, Tokens};

type App = extract::State<State>;

pub(super) fn pages() -> Router<State> {
    Router::new().route("/oauth/authorize", get(ask).post(decide))
}

pub(super) fn routes() -> Router<State> {
    Router::new().route("/oauth/token", post(exchange)).route("/oauth/revoke", post(revoke))
}

/// What a client asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    scope: String,
    state: Option<String>,
    #[serde(default)]
    code_challenge: String,
    #[serde(default)]
    code_challenge_method: String,
}

impl Asked {
    /// The client, if it may be answered at all: nobody is ever sent to where a client is not known to be.
    fn client(&self, conn: &Connection) -> Result<Client> {
        let client = client::find(conn, &self.client_id)?;
        client.filter(|client| client.has_redirect_uri(&self.redirect_uri)).ok_or_else(|| {
            Error::Invalid("the application is not registered, or not with this redirect URI".to_owned())
        })
    }

    /// The scope, if all else is right, too.
    fn check(&self) -> Result<Scope, Refusal> {
        if self.response_type != "code" {
            return Err(Refusal::UnsupportedResponseType);
        }
        if self.code_challenge_method != "S256" || !code::is_challenge(&self.code_challenge) {
            return Err(Refusal::InvalidRequest);
        }
        Scope::parse(&self.scope).ok_or(Refusal::InvalidScope)
    }

    fn answer(&self, name: &str, value: &str) -> Response {
        let separator = if self.redirect_uri.contains('?') { '&' } else { '?' };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, value);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        Redirect::to(&format!("{}{separator}{}", self.redirect_uri, query.finish())).into_response()
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        self.answer("error", refusal.code())
    }
}

async fn ask(
    state: App,
    session: Option<Session>,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (client, asked) =
        state.store.blocking(move |store| store.read(|conn| Ok((asked.client(conn)?, asked)))).await?;
    let scope = match asked.check() {
        Ok(scope) => scope,
        Err(refusal) => return Ok(asked.refuse(refusal)),
    };
    Ok(match session {
        None => log_in_first(&uri).into_response(),
        Some(session) => consent_page(&client, &session, &asked, &scope).into_response(),
    })
}

fn consent_page(client: &Client, session: &Session, asked: &Asked, scope: &Scope) -> Markup {
    let hidden = [
        ("csrf", &session.csrf()),
        ("client_id", &asked.client_id),
        ("redirect_uri", &asked.redirect_uri),
        ("response_type", &asked.response_type),
        ("scope", &asked.scope),
        ("code_challenge", &asked.code_challenge),
        ("code_challenge_method", &asked.code_challenge_method),
    ];
    let content = html! {
        main.narrow {
            h1 { "Allow " (client.name) "?" }
            p { "It would act for " strong { (session.email) } " with these modules:" }
            ul { @for (module, level) in scope.iter() { li { strong { (module) } ": " (level) } } }
            p.note { "You are then sent to " code { (asked.redirect_uri) } }
            form.row method="post" action="/oauth/authorize" {
                @for (name, value) in hidden { input type="hidden" name=(name) value=(value); }
                @if let Some(state) = &asked.state { input type="hidden" name="state" value=(state); }
                button name="decision" value="allow" { "Allow" }
                button.quiet name="decision" value="deny" { "Deny" }
            }
        }
    };
    page("Consent", &content)
}

#[derive(Deserialize)]
struct Decided {
    csrf: String,
    decision: Decision,
    #[serde(flatten)]
    asked: Asked,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Allow,
    Deny,
}

async fn decide(state: App, session: Session, Form(decided): Form<Decided>) -> Result<Response, PageError> {
    session.check_csrf(&decided.csrf)?;
    let Decided { decision, asked, .. } = decided;
    let work = move |conn: &Connection| {
        asked.client(conn)?;
        let scope = match asked.check() {
            Ok(_) if decision == Decision::Deny => return Ok(asked.refuse(Refusal::AccessDenied)),
            Ok(scope) => scope.to_string(),
            Err(refusal) => return Ok(asked.refuse(refusal)),
        };
        let consent = Consent {
            client_id: &asked.client_id,
            user_id: &session.user_id,
            redirect_uri: &asked.redirect_uri,
            scope: &scope,
            code_challenge: &asked.code_challenge,
        };
        let code = code::issue(conn, &consent, now())?;
        Ok(asked.answer("code", &code.to_string()))
    };
    Ok(state.store.blocking(|store| store.write(work)).await?)
}

#[derive(Deserialize)]
struct TokenRequest {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    client_id: String,
    client_secret: Option<String>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    code_verifier: String,
    #[serde(default)]
    refresh_token: String,
}

async fn exchange(state: App, Form(request): Form<TokenRequest>) -> Result<Response> {
    let work = move |conn: &Connection| {
        let Some(client) = proven(conn, &request.client_id, request.client_secret.as_deref())? else {
            return Ok(Err(Refusal::InvalidClient));
        };
        match &*request.grant_type {
            "authorization_code" => {
                let TokenRequest { code, redirect_uri, code_verifier, .. } = &request;
                code::exchange(conn, &client, code, redirect_uri, code_verifier, now())
            }
            "refresh_token" => token::refresh(conn, &client, &request.refresh_token, now()),
            _ => Ok(Err(Refusal::UnsupportedGrantType)),
        }
    };
    let response = match state.store.blocking(|store| store.write(work)).await? {
        Ok(tokens) => Json(body(&tokens)).into_response(),
        Err(refusal) => refused(refusal),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], response).into_response())
}

fn body(Tokens { access, refresh, scope }: &Tokens) -> serde_json::Value {
    json!({
        "access_token": access.to_string(),
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": refresh.to_string(),
        "scope": scope,
    })
}

fn refused(refusal: Refusal) -> Response {
    let status = if refusal == Refusal::InvalidClient { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    (status, Json(json!({ "error": refusal.code() }))).into_response()
}

#[derive(Deserialize)]
struct Revocation {
    #[serde(default)]
    client_id: String,
    client_secret: Option<String>,
    #[serde(default)]
    token: String,
}

/// A token that is not there is as good as revoked.
async fn revoke(state: App, Form(request): Form<Revocation>) -> Result<Response> {
    let work = move |conn: &Connection| {
        let Some(client) = proven(conn, &request.client_id, request.client_secret.as_deref())? else {
            return Ok(refused(Refusal::InvalidClient));
        };
        token::revoke(conn, &client, &request.token, now())?;
        Ok(StatusCode::OK.into_response())
    };
    state.store.blocking(|store| store.write(work)).await
}

fn proven(conn: &Connection, id: &str, secret: Option<&str>) -> Result<Option<Client>> {
    Ok(client::find(conn, id)?.filter(|client| client.is_proven_by(secret)))
}
