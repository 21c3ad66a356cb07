//! Rows that nobody can use any more.

use molos::rusqlite::Connection;

use crate::error::Result;

/// Deletes expired sessions, codes and tokens. A code that was used stays as long as its tokens may live, so that using
/// it again is still noticed.
pub fn purge(conn: &Connection, now: i64) -> Result<()> {
    conn.execute("DELETE FROM sessions WHERE expires_at <= ?1", [now])?;
    conn.execute("DELETE FROM oauth_tokens WHERE expires_at <= ?1", [now])?;
    conn.execute("DELETE FROM oauth_authorization_codes WHERE expires_at <= ?1 - 30 * 24 * 60 * 60", [now])?;
    Ok(())
}
