//! The command line.

mod client;
mod key;
mod module;
mod serve;
mod user;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::store::{self, Store};

/// A self-hosted server in one binary.
#[derive(Debug, Parser)]
#[command(name = "molos-server", version)]
pub struct App {
    /// The database; all commands but `db` make and migrate it first.
    #[arg(long, global = true, env = "MOLOS_DATABASE", default_value = "molos.db")]
    database: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests until told to stop.
    Serve(serve::Serve),
    /// Modules: what there is, and what becomes of it.
    Module(module::Module),
    /// API keys and what they may do.
    #[command(subcommand)]
    Key(key::Key),
    /// Users.
    #[command(subcommand)]
    User(user::User),
    /// OAuth clients.
    #[command(subcommand)]
    Client(client::Client),
    /// The database: what is applied, what is pending, and what to do about it.
    #[command(subcommand)]
    Db(molos::cli::Db),
}

impl App {
    #[must_use]
    pub fn run(self) -> ExitCode {
        self.command.run(&self.database).unwrap_or_else(|error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        })
    }
}

impl Command {
    fn run(self, database: &Path) -> Result<ExitCode> {
        let store = || Store::open(database);
        let output = match self {
            Self::Serve(serve) => serve.run(&store()?)?,
            Self::Module(module) => module.run(&store()?)?,
            Self::Key(key) => key.run(&store()?)?,
            Self::User(user) => user.run(&store()?)?,
            Self::Client(client) => client.run(&store()?)?,
            Self::Db(db) => return Ok(db.run(store::migrator(database)?, database)),
        };
        // A reader that has gone away, as `head` does, is no error.
        let _ = write!(std::io::stdout(), "{output}");
        Ok(ExitCode::SUCCESS)
    }
}
