//! `user`.

use std::io::BufRead as _;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::users;

#[derive(Debug, clap::Subcommand)]
pub(super) enum User {
    /// Create a user; the password is the first line of the standard input.
    Create {
        email: String,
        #[arg(long)]
        name: Option<String>,
        /// Let them use the admin page.
        #[arg(long)]
        admin: bool,
    },
}

impl User {
    pub(super) fn run(self, store: &Store) -> Result<String> {
        let Self::Create { email, name, admin } = self;
        let mut lines = std::io::stdin().lock().lines();
        let password =
            lines.next().ok_or_else(|| Error::Invalid("the standard input has no password".to_owned()))??;
        let hash = users::hash_password(&password)?;
        store.write(|conn| {
            let id = users::create(conn, &email, &hash, name.as_deref())?;
            if admin {
                users::make_admin(conn, &id)?;
            }
            Ok(format!("id {id}\n"))
        })
    }
}
