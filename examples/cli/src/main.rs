//! A program with the command line of molos in it: `cargo run --package molos-example-cli -- db status`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use molos::rusqlite::Connection;
use molos::{Insert as _, Migrator};

mod db {
    molos::embed_migrations!("migrations", rename = { "notes" => Note, "tags" => Tag });
}
use db::tables::{NewNote, NewTag};

#[derive(Parser)]
struct App {
    /// The database
    #[arg(long, value_name = "FILE", default_value = "app.db", global = true)]
    database: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Writes a note
    Add {
        /// What it says
        title: String,
        /// What it is found by
        #[arg(long)]
        tag: Option<String>,
    },
    /// Looks after the database
    #[command(subcommand)]
    Db(molos::cli::Db),
}

fn main() -> ExitCode {
    let app = App::parse();
    match app.command {
        Command::Add { title, tag } => {
            match Connection::open(app.database).and_then(|conn| add(&conn, &title, tag.as_deref())) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Command::Db(command) => command.run(Migrator::new(&db::MIGRATIONS), app.database),
    }
}

fn add(conn: &Connection, title: &str, tag: Option<&str>) -> molos::rusqlite::Result<()> {
    let note = NewNote::new(title).insert(conn)?;
    if let Some(tag) = tag {
        NewTag::new(note.id, tag).insert(conn)?;
    }
    Ok(())
}
