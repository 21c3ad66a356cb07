//! What a migration must not do, and what to do instead.

use molos_runtime::__private::script::TokenKind;
use molos_runtime::__private::sqlite::tokens;
use molos_runtime::ForeignKeys;
use molos_runtime::rusqlite::{Connection, OptionalExtension as _};
use molos_runtime::sqlite::catalog::quote;

use crate::diagnostic::Diagnostic;
use crate::read::file::Script;
use crate::sqlite::no_transaction::PRAGMAS;
use crate::sqlite::sandbox::trace::{Refusal, Trace};

/// What is said of a refusal; without one, of `VACUUM`.
pub(super) fn refused(refusal: Option<&Refusal>) -> Diagnostic {
    match refusal {
        Some(Refusal::Transaction) => Diagnostic::new("a migration must not begin or end a transaction")
            .note("each is run inside of one already, so that a failure leaves nothing behind")
            .help("remove the statement"),
        Some(Refusal::Attach) => Diagnostic::new("a migration must not attach another database")
            .note("a migration is about this database; only the program knows of other files")
            .help("attach the database in the program"),
        Some(Refusal::Detach) => Diagnostic::new("a migration must not detach a database")
            .help("detach it in the program, which attached it"),
        Some(Refusal::LoadExtension) => Diagnostic::new("a migration must not load an extension")
            .note("an extension is code that would run inside of the compiler")
            .help("register the function in the program, and declare it: `functions = [\"name/1\"]`"),
        Some(Refusal::Pragma(name)) => pragma(name),
        Some(Refusal::LeftOver(function)) => Diagnostic::new(format!("`{function}()` is about a statement of another file"))
            .note("no statement before it in this file has changed a row, so its value depends on what the connection did before")
            .help("look the row up by what is in it"),
        Some(Refusal::History) => Diagnostic::new("a migration must not change the history table")
            .note("it is where molos records what was applied; a view may read it")
            .help("remove the statement"),
        Some(Refusal::Runaway) => Diagnostic::new("the statement does not come to an end")
            .note("it was stopped after 50,000,000 instructions of SQLite's virtual machine")
            .help("give a recursive query a condition that ends it, or a `LIMIT`"),
        Some(Refusal::TooLong(limit)) => Diagnostic::new("the statement takes too long")
            .note(format!("the file was stopped after {} seconds; the macro's database has only a few rows", limit.as_secs()))
            .help("make or compare smaller values, or do the work in the program: `hooks = { 2 => function }`"),
        Some(Refusal::Other(what)) => Diagnostic::new(format!("a migration must not do this ({what})")),
        None => Diagnostic::new("a migration must not `VACUUM`")
            .note("it cannot be run inside of a transaction, and a migration is run in one")
            .help("put it into a file of its own that begins with `-- molos: no-transaction`"),
    }
}

pub(super) fn pragma(name: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(format!("a migration must not use `PRAGMA {name}`"));
    match name {
        _ if PRAGMAS.contains(&name) => {
            diagnostic.note("it does nothing inside of a transaction, and a migration is run in one").help(
                "put it into a file of its own that begins with `-- molos: no-transaction`, or set it in the program",
            )
        }
        "synchronous" | "encoding" | "wal_checkpoint" | "incremental_vacuum" | "locking_mode" | "temp_store" => {
            diagnostic
                .note("it does nothing inside of a transaction, and every migration is run in one")
                .help("set it in the program, where the database is opened")
        }
        "writable_schema" | "schema_version" => diagnostic
            .note("it can leave a database that cannot be opened any more")
            .help("write `ALTER TABLE`, or rebuild the table: create a new one, copy, drop the old, rename"),
        "ignore_check_constraints" => diagnostic
            .note("rows that a `CHECK` refuses would stay in the database")
            .help("change the rows or the constraint"),
        _ => diagnostic
            .note("it is a setting of a connection, and would end with the connection that migrates")
            .help("set it in the program, where the database is opened"),
    }
}

/// A switch that does nothing says what the engine does anyway, unless the file's own directive says otherwise.
pub(super) fn foreign_keys_pragma(trace: &Trace, script: &Script) -> Result<(), Diagnostic> {
    if script.directives.foreign_keys != Some(ForeignKeys::On) || !trace.foreign_keys.contains(&false) {
        return Ok(());
    }
    let diagnostic = Diagnostic::new("the file switches foreign keys off, and its directive says they are on")
        .help("remove one of the two");
    let pragma = script.statements_with(&["pragma", "foreign_keys"]).next();
    Err(script.underline_statement(diagnostic, pragma.unwrap_or_default()))
}

/// What a script leaves on its connection is gone where the next one runs in another process.
pub(super) fn nothing_temporary_is_left(conn: &Connection, script: &Script) -> Result<(), Diagnostic> {
    let select = "SELECT type, name FROM temp.sqlite_master WHERE type <> 'index'";
    let Some((kind, name)) = conn.query_row(select, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()? else {
        return Ok(());
    };
    let (kind, name): (String, String) = (kind, name);
    let error = Diagnostic::new(format!("`{}` leaves the temporary {kind} `{name}` behind", script.shown));
    let lower = name.to_lowercase();
    let error = match script.statements_with(&["create", &lower]).last() {
        Some(offset) => script.underline_statement(error, offset),
        None => error,
    };
    Err(error.note("it is a part of the connection, and the next migration may run on another").help(format!(
        "end the file with `DROP {} temp.{}`",
        kind.to_uppercase(),
        quote(&name)
    )))
}

/// The first word of a statement.
pub(super) fn first_word(sql: &str) -> &str {
    tokens(sql).find(|token| token.kind == TokenKind::Word).map_or("", |token| &sql[token.range])
}
