//! Sessions: what a browser is, once someone has logged in with it.

use molos::Insert as _;
use molos::rusqlite::{Connection, OptionalExtension as _};

use crate::core::tables::NewSessions;
use crate::error::{Error, Result};
use crate::secret::{self, Kind, Secret};
use crate::store::Store;
use crate::users;

const SECONDS: i64 = 12 * 60 * 60;

/// Whose session it is.
#[derive(Clone)]
pub struct Session {
    pub user_id: String,
    pub email: String,
    pub is_admin: bool,
    secret: String,
}

impl Session {
    /// What a form has to send back, and another site cannot know.
    #[must_use]
    pub fn csrf(&self) -> String {
        secret::hex(&secret::hash(&format!("csrf {}", self.secret)))
    }

    pub fn check_csrf(&self, csrf: &str) -> Result<()> {
        if secret::is_same(self.csrf().as_bytes(), csrf.as_bytes()) {
            return Ok(());
        }
        tracing::info!(user = self.user_id, "a form came without its token");
        Err(Error::Denied)
    }
}

/// Begins a session, if the password is right.
pub fn log_in(store: &Store, email: &str, password: &str, now: i64) -> Result<Secret> {
    let (user_id, hash) = store.read(|conn| users::credentials(conn, email))?;
    let is_password = users::is_password(password, &hash);
    let Some(user_id) = user_id.filter(|_| is_password) else {
        tracing::info!("a log-in failed");
        return Err(Error::Denied);
    };
    let secret = Secret::new(Kind::Session)?;
    let token = stored(&secret.to_string());
    store.write(|conn| {
        NewSessions::new(&secret::id()?, &user_id, &token, now + SECONDS).insert(conn)?;
        Ok(())
    })?;
    tracing::info!(user = user_id, "a session has begun");
    Ok(secret)
}

pub fn find(conn: &Connection, secret: &str, now: i64) -> Result<Option<Session>> {
    let session = conn
        .prepare_cached(
            "SELECT users.id, users.email, EXISTS (SELECT 1 FROM server_admins WHERE user_id = users.id) \
             FROM sessions JOIN users ON users.id = sessions.user_id \
             WHERE sessions.token = ?1 AND sessions.expires_at > ?2",
        )?
        .query_row((stored(secret), now), |row| {
            Ok(Session { user_id: row.get(0)?, email: row.get(1)?, is_admin: row.get(2)?, secret: secret.to_owned() })
        })
        .optional()?;
    Ok(session)
}

pub fn log_out(conn: &Connection, session: &Session) -> Result<()> {
    conn.execute("DELETE FROM sessions WHERE token = ?1", [stored(&session.secret)])?;
    Ok(())
}

fn stored(secret: &str) -> String {
    secret::hex(&secret::hash(secret))
}
