//! The shadow database: every step is run on it, in order, by the engine that runs it at a user's.

use std::collections::BTreeSet;

use molos_runtime::catalog::{self, Unreadable};
use molos_runtime::driver::Driver;
use molos_runtime::rusqlite::Connection;
use molos_runtime::script::{Statement, TokenKind, statements, tokens};
use molos_runtime::{Direction, Error, ForeignKeys, Migration, Migrations, engine};

use crate::diagnostic::Diagnostic;
use crate::expand::Sql;
use crate::input::Input;
use crate::sandbox::{Refusal, Sandbox, Seen};
use crate::source::{MigrationFile, Script, Source, words};
use crate::table::{self, Model};

/// A database with the schema that the migrations lead to.
pub(crate) struct Shadow {
    sandbox: Sandbox,
    /// What is wrong with the files, and went wrong on the way there.
    errors: Vec<Diagnostic>,
}

impl Shadow {
    /// Runs every migration, and after each that has one its way back, which is then undone.
    pub(crate) fn rehearse(source: &Source, input: &Input) -> Result<Self, Diagnostic> {
        let broken = |error: &dyn std::fmt::Display| Diagnostic::new(format!("the shadow database failed: {error}"));
        let mut sandbox = Sandbox::open(&input.functions).map_err(|error| broken(&error))?;
        sandbox.enter().map_err(|error| broken(&error.source))?;
        sandbox.create_history().map_err(|error| broken(&error.source))?;
        let mut shadow = Self { sandbox, errors: source.errors.clone() };
        // Words of the scripts that failed: what they would have made, and later ones may miss.
        let mut missing = BTreeSet::new();
        for file in &source.migrations {
            let migration = as_migration(file);
            let migrations = Migrations::new(&input.set, &source.directory, std::slice::from_ref(&migration));
            match shadow.run(&migrations, file, Direction::Up) {
                // What a file that could not be read would have made may be what is missing here.
                Err(failure) if failure.message.is_some() && !source.errors.is_empty() => {}
                Err(failure) if failure.follows_from(&missing) => {}
                Err(failure) => {
                    missing.extend(words(file.up.sql()));
                    shadow.errors.push(failure.diagnostic);
                }
                Ok(()) => {
                    if file.down.is_some() {
                        let down = shadow.run(&migrations, file, Direction::Down);
                        shadow.errors.extend(down.err().map(|failure| failure.diagnostic));
                    }
                }
            }
        }
        Ok(shadow)
    }

    /// The structs for the schema that the migrations lead to, and everything that is wrong.
    pub(crate) fn tables(self, input: &Input) -> Result<(Vec<Model>, Vec<Diagnostic>), Diagnostic> {
        let Self { sandbox, mut errors } = self;
        let (tables, unreadable) = catalog::tables(sandbox.conn())
            .map_err(|error| Diagnostic::new(format!("the schema cannot be read back: {error}")))?;
        let incomplete = !errors.is_empty();
        errors.extend(unreadable.into_iter().filter(|_| !incomplete).map(|Unreadable { name, source }| {
            Diagnostic::new(format!("after the last migration, `{name}` cannot be used: {source}"))
                .help("drop it, or create it again, in a new migration")
        }));
        let (models, misnamed) = table::models(tables, &input.rename);
        if !incomplete {
            errors.extend(misnamed);
            errors.extend(models.iter().filter_map(|model| unusable(sandbox.conn(), model)));
        }
        Ok((models, errors))
    }

    /// Runs one step in a transaction of its own. Only an up that works is committed.
    fn run(&mut self, migrations: &Migrations<'_>, file: &MigrationFile, direction: Direction) -> Result<(), Failure> {
        let script = match direction {
            Direction::Up => &file.up,
            Direction::Down => file.down.as_ref().unwrap_or(&file.up),
        };
        let shown = format!("{}/{}", migrations.directory(), script.path);
        let sandbox = &mut self.sandbox;
        let broken =
            |error: &dyn std::fmt::Display| Failure::of_its_own(Diagnostic::new(format!("`{shown}` failed: {error}")));
        sandbox.begin().map_err(|error| broken(&error.source))?;
        let steps: Vec<&Migration<'_>> = migrations.as_slice().iter().collect();
        let result = engine::run(sandbox, migrations, direction, &steps, &|_| {});
        let seen = sandbox.seen();
        let result = match result {
            Err(error) => Err(explain(&error, &seen, script, &shown)),
            Ok(_) => check_foreign_keys_pragma(&seen, script, &shown).map_err(Failure::of_its_own),
        };
        if result.is_ok() && direction == Direction::Up {
            sandbox.commit().map_err(|error| broken(&error.source))?;
        } else {
            sandbox.rollback().map_err(|error| broken(&error.source))?;
        }
        result
    }
}

/// Prepares every statement that is generated for a table.
fn unusable(conn: &Connection, model: &Model) -> Option<Diagnostic> {
    let sql = Sql::of(model);
    sql.statements().find_map(|(what, statement)| {
        let error = conn.prepare(statement).err()?;
        let title = format!("after the last migration, rows cannot be {what} `{}`: {error}", model.table.name);
        Some(Diagnostic::new(title).help("a trigger or view may refer to what is gone; drop it in a new migration"))
    })
}

/// A migration as the engine takes it.
fn as_migration(file: &MigrationFile) -> Migration<'_> {
    fn script(script: &Script) -> molos_runtime::Script<'_> {
        let keys = script.directives.foreign_keys.unwrap_or_default();
        molos_runtime::Script { sql: script.sql(), line: script.line(), keys }
    }
    let part = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
    let name = (part(file.name.start), part(file.name.len()));
    Migration::embedded(
        file.version,
        &file.up.path,
        name,
        file.checksum,
        script(&file.up),
        file.down.as_ref().map(script),
    )
}

/// A step that did not work.
struct Failure {
    diagnostic: Diagnostic,
    /// SQLite's message, if it may be about something that an earlier failure left out.
    message: Option<String>,
}

impl Failure {
    fn of_its_own(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, message: None }
    }

    /// Whether this is about something that scripts with these words failed to make.
    fn follows_from(&self, missing: &BTreeSet<String>) -> bool {
        const COMMON: &[&str] = &[
            "a",
            "already",
            "and",
            "as",
            "by",
            "cannot",
            "check",
            "column",
            "columns",
            "constraint",
            "error",
            "exists",
            "failed",
            "for",
            "foreign",
            "has",
            "in",
            "index",
            "is",
            "key",
            "main",
            "named",
            "no",
            "not",
            "null",
            "of",
            "on",
            "such",
            "supplied",
            "table",
            "there",
            "to",
            "trigger",
            "unique",
            "unknown",
            "values",
            "view",
            "were",
        ];
        let Some(message) = &self.message else { return false };
        words(message).iter().any(|word| missing.contains(word) && !COMMON.contains(&word.as_str()))
    }
}

/// What the engine's error means for the author of the file.
fn explain(error: &Error, seen: &Seen, script: &Script, shown: &str) -> Failure {
    match error {
        Error::Statement { location, source, .. } => {
            let offset = offset_of(script.sql(), script.line(), location.line, location.column);
            let statement = statement_at(script.sql(), offset);
            let vacuum = statement.is_some_and(|statement| first_word(statement.sql).eq_ignore_ascii_case("VACUUM"));
            if seen.refusal.is_some() || vacuum {
                let diagnostic = refused(seen.refusal.as_ref());
                return Failure::of_its_own(underline_statement(diagnostic, script, shown, offset));
            }
            let message = source.to_string();
            let whole_statement = statement.is_none_or(|statement| statement.offset == offset);
            let diagnostic = hint(Diagnostic::new(format!("`{shown}` fails: {message}")), &message);
            let diagnostic = if whole_statement {
                underline_statement(diagnostic, script, shown, offset)
            } else {
                let token = token_at(script.sql(), offset);
                diagnostic.at(shown, &script.file, script.range.start + offset..script.range.start + token, "")
            };
            let syntax = message.ends_with("syntax error") || message.contains("unrecognized token");
            Failure { diagnostic, message: (!syntax).then_some(message) }
        }
        Error::TransactionEnded { location, .. } => {
            let offset = offset_of(script.sql(), script.line(), location.line, location.column);
            Failure::of_its_own(underline_statement(refused(Some(&Refusal::Transaction)), script, shown, offset))
        }
        Error::ForeignKeys { violations, .. } => {
            let mut diagnostic = Diagnostic::new(format!("`{shown}` leaves rows that refer to nothing"));
            for violation in violations {
                diagnostic = if violation.parent.is_empty() {
                    diagnostic.note(violation.table.clone())
                } else {
                    diagnostic.note(violation.to_string())
                };
            }
            Failure::of_its_own(diagnostic.help("insert the row that is referred to, or change the foreign key"))
        }
        other => Failure::of_its_own(Diagnostic::new(format!("`{shown}` fails: {other}"))),
    }
}

/// The byte of `script` at this line and column of its file.
fn offset_of(script: &str, first_line: u32, line: usize, column: usize) -> usize {
    let above = line.saturating_sub(usize::try_from(first_line).unwrap_or(1));
    let start: usize = script.split_inclusive('\n').take(above).map(str::len).sum();
    let rest = script.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
}

fn statement_at(script: &str, offset: usize) -> Option<Statement<'_>> {
    statements(script).take_while(|statement| statement.offset <= offset).last()
}

/// Where the token that starts at `offset` ends.
fn token_at(script: &str, offset: usize) -> usize {
    tokens(script).find(|token| token.range.end > offset).map_or(script.len(), |token| token.range.end)
}

fn underline_statement(diagnostic: Diagnostic, script: &Script, shown: &str, offset: usize) -> Diagnostic {
    let length = statement_at(script.sql(), offset).map_or(1, |statement| statement.sql.len());
    let start = script.range.start + offset;
    diagnostic.at(shown, &script.file, start..start + length, "")
}

fn first_word(sql: &str) -> &str {
    tokens(sql).find(|token| token.kind == TokenKind::Word).map_or("", |token| &sql[token.range])
}

/// Adds what is known to help against an error of SQLite's.
fn hint(diagnostic: Diagnostic, message: &str) -> Diagnostic {
    if let Some(function) = message.strip_prefix("no such function: ") {
        return diagnostic.note(format!("`{function}` is none of SQLite's functions")).help(format!(
            "if the program registers it, declare it with its number of arguments: `functions = [\"{function}/1\"]`"
        ));
    }
    if message.starts_with("Cannot add a NOT NULL column with default value NULL") {
        return diagnostic.help("rows that are there already need a value: add a `DEFAULT`");
    }
    if let Some(module) = message.strip_prefix("no such module: ") {
        return diagnostic.note(format!("the SQLite that molos was built with has no `{module}`"));
    }
    diagnostic
}

fn refused(refusal: Option<&Refusal>) -> Diagnostic {
    match refusal {
        Some(Refusal::Transaction) => Diagnostic::new("a migration must not begin or end a transaction")
            .note("each is run inside of one already, so that a failure leaves nothing behind")
            .help("remove the statement"),
        Some(Refusal::Attach) => Diagnostic::new("a migration must not attach another database")
            .note("it is about this one; which files there are is known only to the program")
            .help("attach the database in the program"),
        Some(Refusal::Detach) => Diagnostic::new("a migration must not detach a database")
            .help("detach it in the program, which attached it"),
        Some(Refusal::LoadExtension) => Diagnostic::new("a migration must not load an extension")
            .note("an extension is code that would run inside of the compiler")
            .help("register the function in the program, and declare it: `functions = [\"name/1\"]`"),
        Some(Refusal::Pragma(name)) => pragma(name),
        Some(Refusal::History) => Diagnostic::new("a migration must not change the history table")
            .note("it is where molos records what was applied; a view may read it")
            .help("remove the statement"),
        Some(Refusal::Runaway) => Diagnostic::new("the statement does not come to an end")
            .note("it was stopped after 50,000,000 instructions of SQLite's virtual machine")
            .help("give a recursive query a condition that ends it, or a `LIMIT`"),
        Some(Refusal::Other(what)) => Diagnostic::new(format!("a migration must not do this ({what})")),
        None => Diagnostic::new("a migration must not `VACUUM`")
            .note("it cannot be run inside of a transaction, and every migration is run in one")
            .help("run it in the program, after the migrations"),
    }
}

fn pragma(name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(format!("a migration must not use `PRAGMA {name}`"));
    match name {
        "journal_mode" | "synchronous" | "auto_vacuum" | "page_size" | "encoding" | "wal_checkpoint"
        | "incremental_vacuum" | "locking_mode" | "temp_store" => diagnostic
            .note("it does nothing inside of a transaction, and every migration is run in one")
            .help("set it in the program, where the database is opened"),
        "writable_schema" | "schema_version" => diagnostic
            .note("it can leave a database that cannot be opened any more")
            .help("write `ALTER TABLE`, or rebuild the table: create a new one, copy, drop the old, rename"),
        "ignore_check_constraints" => diagnostic
            .note("rows that a `CHECK` refuses would stay in the database")
            .help("change the rows or the constraint"),
        _ => diagnostic
            .note("it is a setting of a connection, and would be gone with the one that migrates")
            .help("set it in the program, where the database is opened"),
    }
}

/// `PRAGMA foreign_keys = OFF … ON` around a rebuild says what the engine does anyway; anything else would do nothing.
fn check_foreign_keys_pragma(seen: &Seen, script: &Script, shown: &str) -> Result<(), Diagnostic> {
    let switches = &seen.foreign_keys;
    let (Some(first), Some(last)) = (switches.first(), switches.last()) else { return Ok(()) };
    let is_pair = !first && *last;
    if is_pair && script.directives.foreign_keys != Some(ForeignKeys::On) {
        return Ok(());
    }
    let mut pragmas = statements(script.sql())
        .filter(|statement| first_word(statement.sql).eq_ignore_ascii_case("PRAGMA"))
        .filter(|statement| words(statement.sql).contains("foreign_keys"));
    let pragma = if *first { pragmas.next() } else { pragmas.last() };
    let offset = pragma.map_or(0, |statement| statement.offset);
    let diagnostic = if is_pair {
        Diagnostic::new("the file switches foreign keys off, and its directive says they are on")
            .help("remove one of the two")
    } else {
        Diagnostic::new("`PRAGMA foreign_keys` does nothing inside of a transaction")
            .note("while a migration runs, foreign keys are not enforced; before the commit, every one is checked")
            .help(if *first {
                "to have them enforced, write `-- molos: foreign-keys = on` at the head of the file; else remove it"
            } else {
                "remove it, or switch them on again at the end of the file"
            })
    };
    Err(underline_statement(diagnostic, script, shown, offset))
}
