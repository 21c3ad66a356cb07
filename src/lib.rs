// Of several definitions of a link, the first counts. Those of the README are paths in the repository, and lead nowhere on docs.rs.
#![doc = "[book]: https://docs.rs/crate/molos/latest/source/docs/src/introduction.md"]
#![doc = "[lints]: https://docs.rs/crate/molos/latest/source/docs/src/lints.md"]
#![doc = "[moving]: https://docs.rs/crate/molos/latest/source/docs/src/moving.md"]
#![doc = "[recovery]: https://docs.rs/crate/molos/latest/source/docs/src/recovery.md"]
#![doc = "[security]: https://docs.rs/crate/molos/latest/source/docs/src/security.md"]
#![doc = include_str!("../docs/compile-error.link")]
#![doc = include_str!("../README.md")]
#![allow(clippy::needless_doctest_main, reason = "a build script has one")]

#[cfg(feature = "cli")]
#[doc(inline)]
pub use molos_cli as cli;

/// Embeds a directory of SQL migrations, checked by running every file while the crate compiles.
///
/// The directory is relative to the `Cargo.toml` of the crate that is compiled, and `"migrations"` if it is left out.
/// Give the macro a module of its own; it generates
///
/// - `pub static MIGRATIONS:` [`Migrations`]`<'static>`, plain data: nothing is built when the program starts;
/// - `pub mod tables`, with the structs of every table and view that the migrations lead to, see [`Table`], [`Insert`]
///   and [`Keyed`];
/// - a test that fails when the directory holds a file that the binary does not.
///
/// ```
/// mod db {
///     molos::embed_migrations!("migrations");
/// }
/// assert_eq!(db::MIGRATIONS.latest().map(|migration| migration.version()), Some(4));
/// ```
///
/// # Options
///
/// They follow the directory, separated by commas, in any order.
///
/// | option | meaning |
/// | --- | --- |
/// | `files = "V{version}.{name}.{up\|down}.sql"` | what the files are called, where that is none of the layouts; or a list of them in their order, which are then versions 1, 2, 3 |
/// | `ignore = ["schema.sql"]` | these files of the directory are no migrations |
/// | `functions = ["is_uuid/1", "concat_all/-1"]` | SQL functions that the program registers, with their number of arguments; -1 is any number |
/// | `collations = ["alphanum"]` | collations that the program registers; while the crate compiles, they compare bytes |
/// | `hooks = { 4 => crate::db::hash_tokens }` | functions of the program that are run after the SQL of these versions, in the same transaction: see [`Hook`] |
/// | `lints = { drop_column = "warn" }` | how a lint is reported: see below |
/// | `rows = { "halves" => "INSERT INTO halves (words) VALUES ('')" }` | SQL that makes a row of a table for which the macro finds none, to try migrations on |
/// | `rename = { "users" => User, "users.type" => kind }` | names for structs and fields |
/// | `set = "billing"` | the name of this list in the history table, `"app"` if it is left out; several sets can share one database |
/// | `after = ["../core/migrations"]` | the directories of the sets that this one comes after, each before those that come after it: see below |
/// | `table_prefix = "tasks_"` | what the names of all its tables and views begin with; anything else is a compile error |
/// | `crate = crate::molos` | where to find molos, if not at `::molos` |
///
/// ```
/// mod db {
///     molos::embed_migrations!("migrations", rename = { "users" => User }, set = "accounts");
/// }
/// use db::tables::{NewUser, User};
/// # let _ = (NewUser::new("u1", "ada@example.org", "…"), |user: User| user.email);
/// ```
///
/// # Sets
///
/// Modules that share a database have a directory each, with a history and a lock of its own. One that refers to the
/// tables of another comes `after` it: its migrations are run, while the crate compiles, on what the others lead to, so that
/// foreign keys into them work. It may change rows of the others' tables, and nothing else of them: no column, index or
/// trigger, which their owner would lose when it rebuilds the table. [`Migrator::new`] takes several sets, and applies
/// each after those that it needs; if one of those is missing, the error is [`SetsProblem::MissingBase`].
///
/// ```
/// mod core {
///     molos::embed_migrations!("migrations", set = "core");
/// }
/// mod tasks {
///     molos::embed_migrations!(
///         "tests/fixtures/tasks",
///         set = "tasks",
///         after = ["migrations"],
///         table_prefix = "tasks_",
///     );
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut conn = molos::rusqlite::Connection::open_in_memory()?;
/// molos::Migrator::new([&core::MIGRATIONS, &tasks::MIGRATIONS]).migrate(&mut conn)?;
///
/// // A module is removed with all of its tables, and without the others noticing.
/// molos::Migrator::new(&tasks::MIGRATIONS).rollback(&mut conn, molos::Rollback::All)?;
/// # Ok(())
/// # }
/// ```
///
/// In `ignore`, a file of another set's directory is named with that directory: `"../core/migrations/schema.sql"`.
///
/// # Directives
///
/// They are comments above the first statement of a file.
///
/// | directive | meaning |
/// | --- | --- |
/// | `-- molos: foreign-keys = on` | foreign keys are enforced while the file runs; without it, or with `off`, they are only checked before the commit |
/// | `-- molos: allow <lint> <subject>` | the migration does this on purpose, so it is no error: see below |
/// | `-- molos: no-transaction` | the file runs outside of any transaction, after everything before it is committed. It can hold `VACUUM` and the pragmas `auto_vacuum`, `journal_mode` and `page_size`, and is not run while the crate compiles |
/// | `-- molos: unfinished` | a compile error until the line is removed. `db new` writes it, so that no program applies an empty migration |
/// | `-- molos: irreversible = <the reason>` | the migration cannot be rolled back: [`Migrator::rollback`] refuses, and gives the reason. The reason can be left out |
///
/// # What is an error until the file allows it
///
/// Each of these changes loses rows or values, or breaks a program of an older version that is still running. A directive
/// that allows something the file does not do is an error, too. A rebuild (create, copy, drop, rename) is judged by the
/// schema and the rows that it leads to.
/// [The book](https://docs.rs/crate/molos/latest/source/docs/src/lints.md) shows each lint with its error, and what to
/// write instead.
///
/// | lint | for example | allowed by |
/// | --- | --- | --- |
/// | `drop-table` | `DROP TABLE users` | `-- molos: allow drop-table users` |
/// | `drop-column` | `ALTER TABLE users DROP COLUMN name`, or a rebuild without it | `-- molos: allow drop-column users.name` |
/// | `rename-table` | `ALTER TABLE users RENAME TO people` | `-- molos: allow rename-table users` |
/// | `rename-column` | `ALTER TABLE users RENAME COLUMN name TO nick` | `-- molos: allow rename-column users.name` |
/// | `narrow-type` | a rebuild that makes a `TEXT` column `INTEGER` | `-- molos: allow narrow-type users.name` |
/// | `drop-unique` | `DROP INDEX users_name`, if it was unique; a rebuild without `UNIQUE (email)` | `-- molos: allow drop-unique users_name`, `-- molos: allow drop-unique users.email` |
/// | `leftover-table` | `CREATE TABLE users_new …` without the `DROP TABLE users` and the renaming of a rebuild | `-- molos: allow leftover-table users_new` |
/// | `left-out` | a rebuild that does not create an index or a trigger of the table again, or forgets a `DEFAULT`, `NOT NULL`, `CHECK` or foreign key | `-- molos: allow left-out users_name`, `-- molos: allow left-out users.name`, `-- molos: allow left-out users` |
/// | `data-loss` | `DELETE FROM sessions`; `UPDATE users SET name = NULL`; a rebuild whose `DROP TABLE` deletes what refers to it; a copy that leaves out a column or confuses two | `-- molos: allow data-loss sessions`, `-- molos: allow data-loss users.name` |
/// | `sequence-reset` | a rebuild of an `AUTOINCREMENT` table that does not copy its row in `sqlite_sequence` | `-- molos: allow sequence-reset users` |
/// | `broken-reference` | `DROP TABLE users` with a view or trigger that uses it | `-- molos: allow broken-reference active_users` |
/// | `needless` | `BEGIN … COMMIT` around a file, `PRAGMA foreign_keys = ON`: what molos does anyway, or what does nothing in a migration | `-- molos: allow needless transaction`, `-- molos: allow needless foreign_keys` |
/// | `fails-on-rows` | `ADD COLUMN … NOT NULL` without a default; a `UNIQUE`, `CHECK` or `NOT NULL` that rows which are there may break | `-- molos: allow fails-on-rows` |
/// | `inexact-down` | a down migration that leads to another schema than the one before its migration | in the down migration, `-- molos: allow inexact-down` |
/// | `untried`, a warning | a table that no row can be made up for, or a column that no value can; a step that refuses every value | the option `rows`; `-- molos: allow untried halves` or `untried pairs.words`, `-- molos: allow untried` |
///
/// The option `lints = { drop_column = "warn" }` turns a lint into a warning; `"deny"` is the default of all but
/// `untried`, and `"allow"` turns it off. The compiler shows the warning as the use of something deprecated. It is an error again when the migration is
/// to be written to `molos.lock`.
///
/// # Rows that are made up
///
/// The last six lints are found with rows. While the crate compiles, the macro runs every migration twice: on empty
/// tables, as when the program starts for the first time, and on tables with rows in them. It has to work on both.
///
/// The macro makes up rows for each new table: one with a value in every column, one with `NULL` wherever that is legal, and
/// some that are like the first wherever no key keeps them apart. For each table that a migration changes it adds one more.
/// The values follow from the catalog: types, keys, `CHECK`s. If a migration fails on them, the macro tries other values
/// (words, numbers, JSON, times, UUIDs), and reports an error only if a constraint refuses them all. If a migration fails
/// for another reason, as it may in a function of the program's own, or if no row can be made up for a table, that is a
/// warning; the documentation of `MIGRATIONS` names the migration and the reason, too.
///
/// Virtual tables get no rows. Down migrations are run on rows, too.
///
/// # `molos.lock`
///
/// The migrations that this file lists have shipped, and may not change any more. The macro writes it when the environment
/// variable `MOLOS_LOCK` is set:
///
/// - `update` adds a line for each migration that is not in the file yet;
/// - `overwrite` writes the whole file anew;
/// - `baseline` adds migrations even if they do what would have to be allowed, or if a down migration fails, and notes
///   that: for a directory that was begun with another tool.
///
/// # Compile errors
///
/// Each says what the macro found and what to do; an error in SQL points at the place.
///
/// - **The directory** is missing, empty, a file, or given by an absolute path.
/// - **A file** is named like none of the layouts, or like one but with a version that is too large; is not UTF-8 or
///   has a NUL character; is a symbolic link that leads out of the directory or nowhere; cannot be read.
/// - **Two files** have one version (`1_a.sql` and `001_b.sql`, too); are laid out in different ways; are a down
///   without an up; are two down migrations of one migration.
/// - **Sections** of a file (`-- +goose Up`, `-- migrate:up`) stand twice, below a statement, or as a down without its
///   up; ask to be run without a transaction.
/// - **A directive** says `unfinished`; is unknown, allows what is unknown, does not say what it is about, has a wrong value,
///   or stands below a statement or above the first section; says `irreversible` in a down migration or beside one.
/// - **A file with `no-transaction`** has a statement that could be left half done, or a directive about foreign keys.
/// - **A statement**, in an up or a down, fails for whatever reason SQLite has; has a parameter without a value; does
///   not end, or needs more than 256 MiB; begins or ends a transaction, attaches or detaches a database, loads an
///   extension, `VACUUM`s, changes the history table; asks what a statement of another file did (`last_insert_rowid()`,
///   `changes()`); is a pragma that does nothing in a transaction, or that sets what ends with the connection.
/// - **A lint** is not allowed by the file, or is allowed and does not apply.
/// - **A down migration** fails on rows, or after its up migration was applied a second time.
/// - **A set** makes a table without its prefix, changes a table of a set that it comes after, comes after itself or twice
///   after another, or has no name of its own.
/// - **At the end of a file**, rows refer to what is not there, or a temporary table, view or trigger is left.
/// - **At the end of all**, a view, trigger or foreign key cannot be used.
/// - **A migration in `molos.lock`** was edited (only comments and white space, or more), renamed, renumbered or removed, or
///   leads to another schema than when it was locked. A migration that is not in `molos.lock` comes before the last that
///   is. The lines of the file are out of order, as after a merge, or a newer molos wrote it.
/// - **A name** of a table or column cannot be written in Rust, or two of them become the same; `rename`, `ignore` or
///   `hooks` names something that is not there. A hook is no [`Hook`].
///
/// The macro goes on after an error, and reports in the same build what does not depend on it.
#[doc(inline)]
pub use molos_macros::embed_migrations;
pub use molos_runtime::*;

#[cfg(doctest)]
mod book;
