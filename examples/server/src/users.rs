//! Users and their passwords.

use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use molos::Insert as _;
use molos::rusqlite::{Connection, OptionalExtension as _};

use crate::core::tables::NewUsers;
use crate::error::{Error, Result};
use crate::secret;

/// A hash of nothing that anyone has as a password, with the parameters of all others: an email that is unknown takes
/// as long as a password that is wrong.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bW9sb3Mtbm9ib2R5c2FsdA$bm90IHRoZSBoYXNoIG9mIGFueSBwYXNzd29yZCBhdCA";

pub fn hash_password(password: &str) -> Result<String> {
    if !(10..=200).contains(&password.chars().count()) {
        return Err(Error::Invalid("a password has 10 to 200 characters".to_owned()));
    }
    let hash = Argon2::default().hash_password(password.as_bytes());
    Ok(hash.map_err(|_| Error::Internal("the password cannot be hashed"))?.to_string())
}

/// Creates a user with the hash of a password. Returns the id.
pub fn create(conn: &Connection, email: &str, password: &str, name: Option<&str>) -> Result<String> {
    let email = email.trim();
    if email.len() > 200 || !email.contains('@') {
        return Err(Error::Invalid(format!("{email:?} is no email address")));
    }
    if conn.prepare_cached("SELECT 1 FROM users WHERE email = ?1")?.exists([email])? {
        return Err(Error::Conflict(format!("there is a user {email} already")));
    }
    let id = secret::id()?;
    NewUsers { name, ..NewUsers::new(&id, email, password) }.insert(conn)?;
    Ok(id)
}

/// Lets a user use the admin page.
pub fn make_admin(conn: &Connection, id: &str) -> Result<()> {
    conn.execute("INSERT INTO server_admins (user_id) VALUES (?1) ON CONFLICT DO NOTHING", [id])?;
    Ok(())
}

/// The id of the user, and the hash that the password is to be compared with. There is always one.
pub fn credentials(conn: &Connection, email: &str) -> Result<(Option<String>, String)> {
    let found = conn
        .prepare_cached("SELECT id, password FROM users WHERE email = ?1")?
        .query_row([email.trim()], |row| Ok((Some(row.get(0)?), row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or_else(|| (None, NOBODY.to_owned())))
}

/// It takes some 20 ms and 19 MiB, which is the point of it.
#[must_use]
pub fn is_password(password: &str, hash: &str) -> bool {
    Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_costs_what_the_others_cost() {
        let parameters = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        let hash = hash_password("correct horse").expect("a hash");
        assert_eq!(parameters(NOBODY), parameters(&hash));
        assert_eq!(NOBODY.len(), hash.len());
        assert!(argon2::PasswordHash::new(NOBODY).is_ok());
        assert!(is_password("correct horse", &hash) && !is_password("correct horsf", &hash));
        assert!(!is_password("correct horse", "unusable"));
    }
}
