//! Clients: the applications that may ask.

use axum::http::Uri;
use molos::rusqlite::Connection;
use molos::{Insert as _, Keyed as _, Table as _};

use crate::core::tables::{NewOauthClients, OauthClients};
use crate::error::{Error, Result};
use crate::secret::{self, Kind, Secret};

#[derive(Debug)]
pub struct Client {
    pub id: String,
    pub name: String,
    pub redirect_uris: Vec<String>,
    secret_hash: Option<Vec<u8>>,
}

impl Client {
    /// A client that keeps a secret has to show it; one that cannot keep any must not show one.
    #[must_use]
    pub fn is_proven_by(&self, secret: Option<&str>) -> bool {
        match (&self.secret_hash, secret) {
            (Some(hash), Some(secret)) => secret::is_same(hash, &secret::hash(secret)),
            (None, None) => true,
            _ => false,
        }
    }

    #[must_use]
    pub const fn is_confidential(&self) -> bool {
        self.secret_hash.is_some()
    }

    /// To the letter: no prefix, no port, no case is forgiven.
    #[must_use]
    pub fn has_redirect_uri(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|known| known == uri)
    }
}

/// Registers a client. The secret, if it is to have one, is nowhere else.
pub fn create(conn: &Connection, name: &str, redirect_uris: &[String], secret: Option<&Secret>) -> Result<String> {
    if redirect_uris.is_empty() {
        return Err(Error::Invalid("a client needs a redirect URI".to_owned()));
    }
    if let Some(uri) = redirect_uris.iter().find(|uri| !is_redirect_uri(uri)) {
        let problem = format!("{uri:?} is no redirect URI: `https`, or `http` to this machine, and no fragment");
        return Err(Error::Invalid(problem));
    }
    let (id, hash) = (secret::id()?, secret.map(Secret::hash));
    let uris = serde_json::Value::from(redirect_uris).to_string();
    let hash = hash.as_ref().map(<[u8; 32]>::as_slice);
    NewOauthClients { secret_hash: hash, ..NewOauthClients::new(&id, name, &uris) }.insert(conn)?;
    tracing::info!(id, name, "a client was registered");
    Ok(id)
}

/// The secret of a new client.
pub fn new_secret() -> Result<Secret> {
    Secret::new(Kind::Client)
}

pub fn find(conn: &Connection, id: &str) -> Result<Option<Client>> {
    OauthClients::find(conn, id)?.map(read).transpose()
}

pub fn list(conn: &Connection) -> Result<Vec<Client>> {
    OauthClients::all(conn)?.into_iter().map(read).collect()
}

fn read(OauthClients { id, name, secret_hash, redirect_uris, .. }: OauthClients) -> Result<Client> {
    let redirect_uris =
        serde_json::from_str(&redirect_uris).map_err(|_| Error::Internal("the redirect URIs are no list of texts"))?;
    Ok(Client { id, name, redirect_uris, secret_hash })
}

fn is_redirect_uri(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let is_plain = !text.contains(['#', '@', '\\']);
    let is_local = matches!(uri.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    is_plain
        && uri.host().is_some()
        && (uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_https_or_to_this_machine() {
        for text in [
            "",
            "/callback",
            "http://example.org/callback",
            "http://localhost.example.org/",
            "https://example.org/#fragment",
            "https://user@example.org/",
            "javascript:alert(1)",
            "https:///callback",
            "https://exa mple.org/",
        ] {
            assert!(!is_redirect_uri(text), "{text}");
        }
        for text in ["https://example.org/callback?x=1", "http://127.0.0.1:9000/callback", "http://[::1]/"] {
            assert!(is_redirect_uri(text), "{text}");
        }
    }
}
