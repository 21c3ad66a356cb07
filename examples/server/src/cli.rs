//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::store::Store;
use crate::web;

/// A self-hosted server in one binary.
#[derive(Debug, Parser)]
#[command(name = "molos-server", version)]
pub struct App {
    /// The database; it is made, and migrated, before anything else.
    #[arg(long, global = true, env = "MOLOS_DATABASE", default_value = "molos.db")]
    database: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests until told to stop.
    Serve {
        #[arg(long, env = "MOLOS_LISTEN", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
}

impl App {
    #[must_use]
    pub fn run(self) -> ExitCode {
        let result = Store::open(&self.database).and_then(|store| match self.command {
            Command::Serve { listen } => serve(store, listen),
        });
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

fn serve(store: Store, listen: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(listen).await?;
        println!("listening on http://{}", listener.local_addr()?);
        Ok(axum::serve(listener, web::router(store)).await?)
    })
}
