//! `client`.

use crate::error::Result;
use crate::oauth::client;
use crate::store::Store;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Client {
    /// Register an application that may ask users for access.
    Create {
        name: String,
        /// Where users are sent back to; to the letter.
        #[arg(long = "redirect-uri", required = true)]
        redirect_uris: Vec<String>,
        /// It runs on a server, and can keep a secret, which is shown this once.
        #[arg(long)]
        confidential: bool,
    },
    /// Show every client.
    List,
}

impl Client {
    pub(super) fn run(self, store: &Store) -> Result<String> {
        match self {
            Self::Create { name, redirect_uris, confidential } => {
                let secret = confidential.then(client::new_secret).transpose()?;
                let id = store.write(|conn| client::create(conn, &name, &redirect_uris, secret.as_ref()))?;
                let secret = secret.map(|secret| format!("secret {secret}\n"));
                Ok(format!("id     {id}\n{}", secret.unwrap_or_default()))
            }
            Self::List => Ok(store.read(client::list)?.iter().map(line).collect()),
        }
    }
}

fn line(client: &client::Client) -> String {
    let kind = if client.is_confidential() { "confidential" } else { "public" };
    format!("{}  {}  {kind}  {}\n", client.id, client.name, client.redirect_uris.join(" "))
}
