//! The command line of [molos](https://docs.rs/molos), which programs use as `molos::cli`: [`Db`] is a clap subcommand
//! that brings a program's database up to date, rolls it back, compares it, and tells what is in it.
//!
//! ```no_run
//! # use molos_runtime as molos;
//! # mod molos_cli_as { pub use molos_cli as cli; }
//! # use molos_cli_as::cli;
//! # mod db { pub static MIGRATIONS: molos_runtime::Migrations<'static> = molos_runtime::Migrations::new("app", "migrations", &[]); }
//! use std::process::ExitCode;
//!
//! use clap::Parser;
//! use molos::Migrator;
//!
//! #[derive(Parser)]
//! enum App {
//!     /// Answers requests
//!     Serve,
//!     /// Looks after the database
//!     #[command(subcommand)]
//!     Db(cli::Db), // `molos::cli::Db`
//! }
//!
//! fn main() -> ExitCode {
//!     match App::parse() {
//!         App::Serve => ExitCode::SUCCESS,
//!         App::Db(command) => command.run(Migrator::new(&db::MIGRATIONS), "app.db"),
//!     }
//! }
//! ```
//!
//! The answer goes to stdout; what happens meanwhile, questions and errors go to stderr. Colours and the progress bar are for
//! terminals, and `NO_COLOR` turns the colours off. Before something that loses rows a person at a terminal is asked, unless
//! there is `--yes`. Without a terminal `migrate` goes on, since the files of the migrations had to allow what is lost;
//! `rollback`, `downgrade` and `restore` need `--yes` there.
//!
//! # Exit codes
//!
//! | code | meaning |
//! | --- | --- |
//! | 0 | done, or nothing to do |
//! | 1 | nothing is wrong and something is pending (`status`, `verify`), or the answer to a question was no |
//! | 2 | an error, among them a wrong command line; `status`, `verify` and `rehearse`: something is wrong |
//! | 130 | interrupted with Ctrl-C or a signal: what was not committed is undone |
//!
//! # JSON
//!
//! With `--json` the answer is one JSON object, of the type in [`json`]: of [`json::Failed`] if there is an error, whose
//! message also goes to stderr. There is no answer if the command line is wrong, if the answer to a question was no, or if
//! the program was interrupted where no statement was run.
#![cfg_attr(
    not(debug_assertions),
    doc = "\n# What is not here\n\n`db new` is a command of debug builds: only they know the directory of the migrations."
)]

mod ask;
mod command;
mod interrupt;
pub mod json;
mod mermaid;
#[cfg(debug_assertions)]
mod new;
mod output;
mod progress;
mod schema;
mod target;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use molos_runtime::rusqlite::{self, Connection};
use molos_runtime::{Migrator, Tool};

use crate::output::{Failure, Output};
use crate::target::Target;

/// What can be done with a database, as a clap subcommand.
#[derive(Clone, Debug, clap::Subcommand)]
#[non_exhaustive]
pub enum Db {
    /// Applies the migrations that are pending
    Migrate(Migrate),
    /// Shows where every migration stands
    ///
    /// Exits with 0 if the database is up to date, with 1 if migrations are pending, and with 2 if something is wrong:
    /// migrations that were edited or are unknown, say.
    Status(Status),
    /// Rolls migrations back, the newest first
    Rollback(Rollback),
    /// Shows what `migrate` would run, and what rows it would cost
    Plan(Plan),
    /// Runs what is pending on the real data, and undoes it
    ///
    /// Other programs wait for it as they will for the migration. Exits with 2 if the migration would fail.
    Rehearse(Rehearse),
    /// Compares the database with what the migrations lead to
    ///
    /// Exits with 0 if it is the same, with 1 if migrations are pending, and with 2 if something differs.
    Verify(Verify),
    /// Records what is there already in a database that was made by hand or by another tool
    Adopt(Adopt),
    /// Copies the database, checks the copy, and prints its path
    Backup(Backup),
    /// Replaces what is in the database with a backup
    Restore(Restore),
    /// Prints the schema that the migrations lead to; no database is needed
    Schema(Schema),
    /// Rolls back what a newer program applied, with the SQL that it left in the database
    Downgrade(Downgrade),
    /// Writes the files of a new migration: the only command that touches the source directory
    ///
    /// It is there in debug builds only. The version is the next one, and the names are like those that the directory has.
    #[cfg(debug_assertions)]
    New(New),
}

/// The arguments of [`Db::Migrate`].
#[derive(Clone, Debug, clap::Args)]
pub struct Migrate {
    /// Migrate up to this version and no further
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    /// Show what would be run, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Commit each migration by itself: if one fails, those before it stay
    #[arg(long)]
    each: bool,
    #[command(flatten)]
    safety: Safety,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Status`].
#[derive(Clone, Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Rollback`].
#[derive(Clone, Debug, clap::Args)]
pub struct Rollback {
    /// How many to roll back: one, if you leave it out
    #[arg(long, value_name = "N", group = "how_far")]
    steps: Option<usize>,
    /// Roll back everything after this version
    #[arg(long, value_name = "VERSION", group = "how_far")]
    to: Option<i64>,
    /// Roll back everything
    #[arg(long, group = "how_far")]
    all: bool,
    /// Show what would be run, and run nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    safety: Safety,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Plan`].
#[derive(Clone, Debug, clap::Args)]
pub struct Plan {
    /// Plan up to this version and no further
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    /// Show the SQL too
    #[arg(long)]
    sql: bool,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Rehearse`].
#[derive(Clone, Debug, clap::Args)]
pub struct Rehearse {
    /// Rehearse up to this version and no further
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Verify`].
#[derive(Clone, Debug, clap::Args)]
pub struct Verify {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Adopt`].
#[derive(Clone, Debug, clap::Args)]
pub struct Adopt {
    /// Go by the history of this tool, which has to be there
    #[arg(long, value_name = "TOOL", value_enum)]
    from: Option<FromTool>,
    /// The version that the database is at, where its schema does not say
    #[arg(long, value_name = "VERSION", conflicts_with = "from")]
    to: Option<i64>,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Backup`].
#[derive(Clone, Debug, clap::Args)]
pub struct Backup {
    /// Where the copy goes; `backups` beside the database, if nothing is said
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// How many copies stay, this one among them; all, if nothing is said
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Restore`].
#[derive(Clone, Debug, clap::Args)]
pub struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    backup: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::Schema`].
#[derive(Clone, Debug, clap::Args)]
pub struct Schema {
    /// How to write it
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = SchemaFormat::Sql, conflicts_with = "json")]
    format: SchemaFormat,
    #[command(flatten)]
    json: Format,
}

/// The arguments of [`Db::Downgrade`].
#[derive(Clone, Debug, clap::Args)]
pub struct Downgrade {
    /// The version to go back to; the newest that this program has, if nothing is said
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    #[command(flatten)]
    safety: Safety,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

/// The arguments of [`Db::New`].
#[cfg(debug_assertions)]
#[derive(Clone, Debug, clap::Args)]
pub struct New {
    /// What it is called: letters, digits, `_` and `-`
    name: String,
    /// Write a down migration, too
    #[arg(long)]
    down: bool,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Debug, clap::Args)]
struct Safety {
    /// Copy the database into this directory first
    #[arg(long, value_name = "DIR")]
    backup: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Of {
    /// Only this set of migrations
    #[arg(long, value_name = "SET")]
    set: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
struct Format {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemaFormat {
    /// The statements that create it
    Sql,
    /// Tables, columns, keys and indexes
    Json,
    /// An entity-relationship diagram
    Mermaid,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum FromTool {
    Refinery,
    Sqlx,
    Diesel,
    #[value(name = "rusqlite_migration")]
    RusqliteMigration,
    Drizzle,
    Goose,
    Dbmate,
    SqlMigrate,
    GolangMigrate,
}

impl FromTool {
    const fn tool(self) -> Tool {
        match self {
            Self::Refinery => Tool::Refinery,
            Self::Sqlx => Tool::Sqlx,
            Self::Diesel => Tool::Diesel,
            Self::RusqliteMigration => Tool::RusqliteMigration,
            Self::Drizzle => Tool::Drizzle,
            Self::Goose => Tool::Goose,
            Self::Dbmate => Tool::Dbmate,
            Self::SqlMigrate => Tool::SqlMigrate,
            Self::GolangMigrate => Tool::GolangMigrate,
        }
    }
}

impl Db {
    /// Runs the command on the database in this file, prints what comes of it, and returns the code for the program to exit
    /// with.
    ///
    /// The migrator brings the migrations, and what else it was told: a timeout, where its events go. What is on the command
    /// line comes before that.
    ///
    /// Only `migrate` and `restore` create a file that is not there. To the others, it is an empty database.
    ///
    /// While it runs, Ctrl-C and `SIGTERM` stop it in an orderly way, unless the program handles them itself.
    #[must_use]
    pub fn run(&self, migrator: Migrator<'_>, database: impl AsRef<Path>) -> ExitCode {
        self.run_with(migrator, database, |_| Ok(()))
    }

    /// Like [`run`](Self::run), with a function that makes each connection ready: that registers the functions which the
    /// migrations use, say, or gives the key of an encrypted database. It also gets connections to empty databases in
    /// memory.
    #[must_use]
    pub fn run_with(
        &self,
        migrator: Migrator<'_>,
        database: impl AsRef<Path>,
        prepare: impl Fn(&Connection) -> rusqlite::Result<()>,
    ) -> ExitCode {
        interrupt::handle();
        let output = Output::new(self.is_json());
        let target = Target::new(database.as_ref(), &prepare);
        let migrator = migrator.on_event(interrupt::end_while_waiting);
        let result = self.dispatch(migrator, &target, &output);
        output.finish(result)
    }

    fn dispatch(&self, migrator: Migrator<'_>, target: &Target<'_>, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Migrate(args) => command::migrate(args, migrator, target, output),
            Self::Status(args) => command::status(args, migrator, target, output),
            Self::Rollback(args) => command::rollback(args, migrator, target, output),
            Self::Plan(args) => command::plan(args, migrator, target, output),
            Self::Rehearse(args) => command::rehearse(args, migrator, target, output),
            Self::Verify(args) => command::verify(args, migrator, target, output),
            Self::Adopt(args) => command::adopt(args, migrator, target, output),
            Self::Backup(args) => command::backup(args, &migrator, target, output),
            Self::Restore(args) => command::restore(args, &migrator, target, output),
            Self::Schema(args) => command::schema(args, &migrator, target, output),
            Self::Downgrade(args) => command::downgrade(args, migrator, target, output),
            #[cfg(debug_assertions)]
            Self::New(args) => command::new(args, migrator, output),
        }
    }

    const fn is_json(&self) -> bool {
        let format = match self {
            Self::Migrate(args) => &args.format,
            Self::Status(args) => &args.format,
            Self::Rollback(args) => &args.format,
            Self::Plan(args) => &args.format,
            Self::Rehearse(args) => &args.format,
            Self::Verify(args) => &args.format,
            Self::Adopt(args) => &args.format,
            Self::Backup(args) => &args.format,
            Self::Restore(args) => &args.format,
            Self::Schema(args) if matches!(args.format, SchemaFormat::Json) => return true,
            Self::Schema(args) => &args.json,
            Self::Downgrade(args) => &args.format,
            #[cfg(debug_assertions)]
            Self::New(args) => &args.format,
        };
        format.json
    }
}
