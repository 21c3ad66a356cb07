//! A self-hosted server in one binary: what it needs is in it, and what it knows is in one SQLite file.

pub mod access;
pub mod cli;
pub mod diagram;
pub mod error;
pub mod health;
pub mod keys;
pub mod metrics;
pub mod modules;
pub mod oauth;
pub mod purge;
pub mod secret;
pub mod sessions;
pub mod store;
pub mod users;
pub mod web;

/// The migrations of Molos itself, which every database has.
pub mod core {
    molos::embed_migrations!("../../migrations", set = "core");
}

/// What this server adds to them.
pub mod server {
    molos::embed_migrations!("migrations", set = "server", after = ["../../migrations"], table_prefix = "server_");
}

/// The time, in unix seconds.
#[must_use]
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().try_into().unwrap_or(i64::MAX)
}
