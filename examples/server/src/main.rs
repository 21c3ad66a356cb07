//! The binary; everything else is in the library, where tests reach it.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use molos_example_server::cli::App;

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    App::parse().run()
}
