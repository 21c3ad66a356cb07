//! Migrations as data: what `embed_migrations!` writes into the binary.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use super::checksum::Checksum;
use super::error::Error;
use super::history::{StoreDown, stored_down};
use super::layout::FileNames;
use super::order::VersionOrder;
use super::report::Report;
use crate::database::{Connection, Database, DefaultDatabase};
use crate::migrator::{Goal, Migrator};
use crate::schema::Fingerprint;

/// One migration: a version, a name, the SQL that applies it and, where there is any, the SQL that rolls it back. It
/// borrows everything, from the binary if it is embedded.
#[derive(Clone, Copy, Debug)]
pub struct Migration<'m, DB: Database = DefaultDatabase> {
    set: &'m str,
    directory: &'m str,
    version: i64,
    /// The path, and behind it that of the down migration, if its name does not follow from it.
    paths: &'m str,
    /// The length of the second.
    down_path: u16,
    name: &'m str,
    checksum: Checksum,
    fingerprint: Option<Fingerprint>,
    up: Script<'m>,
    down: Option<Script<'m>>,
    store_down: Option<StoreDown>,
    irreversible: Option<&'m str>,
    /// What the up and the down migration take from rows: a table a line, or a table and, behind a tab, a column.
    losses: [&'m str; 2],
    /// The tables whose foreign keys the up script may break, or those of tables that refer to them: a table a line.
    touched: Option<&'m str>,
    /// What of the up script's file is blank in its SQL, by offset: it says what the engine does anyway.
    blanked: &'m &'m [(u32, &'m str)],
    hook: Option<DB::Hook>,
}

/// The hook of the migration of a version.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct StepHook<DB: Database = DefaultDatabase> {
    pub version: i64,
    pub run: DB::Hook,
}

/// Whether foreign keys are enforced while a script runs.
///
/// Off is the default, so that a table can be rebuilt without its `DROP TABLE` deleting the rows that refer to it.
/// Whatever a script does, every key that it may have broken is checked before its transaction is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForeignKeys {
    /// Not enforced statement by statement; checked before the commit.
    #[default]
    Off,
    /// Enforced, so `ON DELETE` and `ON UPDATE` actions fire: `-- molos: foreign-keys = on`.
    On,
}

/// Which way a migration is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards newer versions.
    Up,
    /// Back.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// A script as it stands in its file; what [`Migration::of_file`] takes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Script<'m> {
    /// The SQL.
    pub sql: &'m str,
    /// The line of the file that the SQL starts on, from 1.
    pub line: u32,
    /// Whether foreign keys are enforced while it runs.
    pub keys: ForeignKeys,
    /// Whether it is run by itself, outside of any transaction: every statement in it is all or nothing, and does no harm
    /// when it is run again.
    pub no_transaction: bool,
}

impl<'m, DB: Database> Migration<'m, DB> {
    /// A migration made at run time, with no proof that it works: for tests and tools.
    ///
    /// Programs embed theirs with `embed_migrations!`, which checks every one while the program compiles. What a file says
    /// in its directives, a migration that is made at run time says with the methods below; directives in its SQL are
    /// comments.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// use molos::{Direction, ForeignKeys, Migration, Migrations, rusqlite::Connection};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let list = [
    ///     Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)").with_down("DROP TABLE notes"),
    ///     Migration::new(2, "clean", "DELETE FROM notes").foreign_keys(Direction::Up, ForeignKeys::On).irreversible(""),
    ///     Migration::new(3, "compact", "VACUUM").without_transaction(Direction::Up),
    /// ];
    /// let report = Migrations::new("app", "migrations", &list).migrate(&mut Connection::open_in_memory()?)?;
    /// assert_eq!(report.steps().len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(version: i64, name: &'m str, up: &'m str) -> Self {
        let script = Script { sql: up, line: 1, keys: ForeignKeys::Off, no_transaction: false };
        Self::of_file(version, name, name, Checksum::of(up), script, None)
    }

    /// The same migration with SQL that rolls it back. SQL without a statement is no down migration.
    #[must_use]
    pub fn with_down(self, down: &'m str) -> Self {
        let script = Script { sql: down, line: 1, keys: ForeignKeys::Off, no_transaction: false };
        Self { down: (!DB::is_blank(down)).then_some(script), ..self }
    }

    /// The same migration, with foreign keys enforced or not while its script for `direction` runs: what
    /// `-- molos: foreign-keys` says in a file. A migration without a down script stays as it is for [`Direction::Down`].
    #[must_use]
    pub const fn foreign_keys(self, direction: Direction, keys: ForeignKeys) -> Self {
        match (direction, self.down) {
            (Direction::Up, _) => Self { up: Script { keys, ..self.up }, ..self },
            (Direction::Down, Some(down)) => Self { down: Some(Script { keys, ..down }), ..self },
            (Direction::Down, None) => self,
        }
    }

    /// The same migration, whose script for `direction` is run outside of any transaction: what
    /// `-- molos: no-transaction` says in a file. If the program is cut off before the migration is in the history, the
    /// script is run again at the next start, so it has to consist of statements that are all or nothing and can be
    /// repeated. A migration without a down script stays as it is for [`Direction::Down`].
    #[must_use]
    pub const fn without_transaction(self, direction: Direction) -> Self {
        match (direction, self.down) {
            (Direction::Up, _) => Self { up: Script { no_transaction: true, ..self.up }, ..self },
            (Direction::Down, Some(down)) => Self { down: Some(Script { no_transaction: true, ..down }), ..self },
            (Direction::Down, None) => self,
        }
    }

    /// The same migration without a down script, and why there can be none: what `-- molos: irreversible` says in a file.
    /// The reason may be empty.
    #[must_use]
    pub const fn irreversible(self, reason: &'m str) -> Self {
        Self { down: None, irreversible: Some(reason), ..self }
    }

    /// A migration that stands in the file `path`.
    #[doc(hidden)]
    #[must_use]
    pub const fn of_file(
        version: i64,
        path: &'m str,
        name: &'m str,
        checksum: Checksum,
        up: Script<'m>,
        down: Option<Script<'m>>,
    ) -> Self {
        Self {
            set: "",
            directory: "",
            version,
            paths: path,
            down_path: 0,
            name,
            checksum,
            fingerprint: None,
            up,
            down,
            store_down: Some(stored_down),
            irreversible: None,
            losses: [""; 2],
            touched: None,
            blanked: &(&[] as &[_]),
            hook: None,
        }
    }

    /// The same migration as one of the set `set`, read from `directory`.
    #[doc(hidden)]
    #[must_use]
    pub const fn in_set(self, set: &'m str, directory: &'m str) -> Self {
        Self { set, directory, ..self }
    }

    /// The name of the set that it was taken from, with [`Migrations::iter`] or [`Migrations::get`]; empty before that.
    #[must_use]
    pub const fn set(&self) -> &'m str {
        self.set
    }

    /// The version: migrations are applied in the order of these numbers, or, where the tool that the directory is from
    /// does that, in the order of their digits.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The name, as the file's name gives it: `initial` for `001_initial.sql`.
    #[must_use]
    pub const fn name(&self) -> &'m str {
        self.name
    }

    /// The SQL that applies the migration, with normalised line ends. Where a file that has shipped says what molos does
    /// anyway, `BEGIN` and `COMMIT` say, there are spaces.
    #[must_use]
    pub const fn up(&self) -> &'m str {
        self.up.sql
    }

    /// The SQL that rolls the migration back, if there is any.
    #[must_use]
    pub fn down(&self) -> Option<&'m str> {
        self.sql(Direction::Down)
    }

    /// The checksum of the file that holds the up SQL.
    #[must_use]
    pub const fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The fingerprint of the schema that it leads to, if the migration was checked while the program compiled.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// The function that is run after its SQL, if there is one.
    #[must_use]
    pub const fn hook(&self) -> Option<DB::Hook> {
        self.hook
    }

    /// Why there is no down migration, if the file says that there is none; empty if it gives no reason.
    #[must_use]
    pub const fn why_irreversible(&self) -> Option<&'m str> {
        self.irreversible
    }

    /// The tables that lose rows when it is run in `direction`, and the columns that lose their values, each with its table:
    /// found out with rows that were made up while the program compiled.
    pub(crate) fn losses(
        &self,
        direction: Direction,
    ) -> impl Iterator<Item = (&'m str, Option<&'m str>)> + use<'m, DB> {
        let [up, down] = self.losses;
        let losses = if direction == Direction::Up { up } else { down };
        losses.lines().map(|line| line.split_once('\t').map_or((line, None), |(table, column)| (table, Some(column))))
    }

    /// The tables with a foreign key, or with rows that foreign keys refer to, that may not be what they were when it was run
    /// in `direction`, in lower case; `None` if that is not known.
    pub(crate) fn touched(&self, direction: Direction) -> Option<impl Iterator<Item = &'m str> + use<'m, DB>> {
        let is_known = direction == Direction::Up && self.hook.is_none();
        self.touched.filter(|_| is_known).map(str::lines)
    }

    /// Its down migration as the history keeps it.
    pub(crate) fn stored_down(&self) -> Option<String> {
        self.store_down.zip(self.down).map(|(store, down)| store(self.set, self.version, down))
    }

    /// The up SQL as it stands in its file, with what is blank in [`Migration::up`].
    pub(crate) fn up_in_file(&self) -> Cow<'m, str> {
        let mut sql = Cow::Borrowed(self.up.sql);
        for (offset, text) in *self.blanked {
            let start = index(*offset);
            if sql.get(start..start + text.len()).is_some() {
                sql.to_mut().replace_range(start..start + text.len(), text);
            }
        }
        sql
    }

    pub(crate) const fn hooked(self, hook: DB::Hook) -> Self {
        Self { hook: Some(hook), ..self }
    }

    pub(crate) const fn with_fingerprint(self, fingerprint: Fingerprint) -> Self {
        Self { fingerprint: Some(fingerprint), ..self }
    }

    /// The SQL that goes in `direction`.
    #[must_use]
    pub fn sql(&self, direction: Direction) -> Option<&'m str> {
        self.script(direction).map(|script| script.sql)
    }

    /// The file of the script that goes in `direction`, relative to the directory of migrations.
    #[must_use]
    pub fn path(&self, direction: Direction) -> Cow<'m, str> {
        let (path, own_down_path) = self.paths.split_at(self.paths.len().saturating_sub(self.down_path.into()));
        match (direction, self.down) {
            (Direction::Up, _) => Cow::Borrowed(path),
            // The two halves of one file: the down half never starts on the first line.
            (Direction::Down, Some(down)) if down.line > 1 => Cow::Borrowed(path),
            (Direction::Down, _) if !own_down_path.is_empty() => Cow::Borrowed(own_down_path),
            (Direction::Down, _) => Cow::Owned(down_path(path)),
        }
    }

    /// The same file, with the directory as the macro was given it.
    pub(crate) fn file(&self, direction: Direction) -> String {
        format!("{}/{}", self.directory, self.path(direction))
    }

    /// Whether this is the same step of the same set.
    pub(crate) fn is(&self, other: &Migration<'_, DB>) -> bool {
        self.set == other.set && self.version == other.version
    }

    /// Whether it is run outside of a transaction in `direction`, as its file asks with `-- molos: no-transaction`.
    #[must_use]
    pub fn is_without_transaction(&self, direction: Direction) -> bool {
        self.script(direction).is_some_and(|script| script.no_transaction)
    }

    pub(crate) fn script(&self, direction: Direction) -> Option<Script<'m>> {
        match direction {
            Direction::Up => Some(self.up),
            Direction::Down => self.down,
        }
    }
}

/// The file of the down migration beside `up`.
#[doc(hidden)]
#[must_use]
pub fn down_path(up: &str) -> String {
    if let Some((folder, _)) = up.rsplit_once('/') {
        return format!("{folder}/down.sql");
    }
    let stem = up.strip_suffix(".up.sql").or_else(|| up.strip_suffix(".sql")).unwrap_or(up);
    format!("{stem}.down.sql")
}

/// A set of migrations, in the order of their versions: what `embed_migrations!` generates.
///
/// ```
/// # use molos_runtime as molos;
/// use molos::{Migration, Migrations, rusqlite::Connection};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let list = vec![Migration::new(1, "notes", "CREATE TABLE notes (body TEXT NOT NULL)")];
/// let migrations = Migrations::new("app", "migrations", &list);
///
/// let mut conn = Connection::open_in_memory()?;
/// let report = migrations.migrate(&mut conn)?;
/// assert_eq!(report.steps().len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Migrations<'m, DB: Database = DefaultDatabase> {
    set: &'m str,
    directory: &'m str,
    list: List<'m, DB>,
    pub(crate) after: &'m [Base<'m>],
    pub(crate) table_prefix: &'m str,
    hooks: &'m [StepHook<DB>],
    store_down: Option<StoreDown>,
    pub(crate) checked_on: i32,
    order: VersionOrder,
    files: FileNames<'m>,
    manifest_dir: Option<&'m str>,
}

/// The last migration of another directory that a set was checked after, and so needs.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Base<'m> {
    pub directory: &'m str,
    pub version: i64,
    pub name: &'m str,
    pub checksum: [u8; 32],
}

/// What the macro writes; what [`Migrations::embedded`] takes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Embedded<'m, DB: Database = DefaultDatabase> {
    pub set: &'m str,
    pub directory: &'m str,
    /// The text of all files in one.
    pub text: &'m str,
    pub entries: &'m [Entry],
    pub after: &'m [Base<'m>],
    /// Empty if there is none.
    pub table_prefix: &'m str,
    pub hooks: &'m [StepHook<DB>],
    /// [`stored_down`], if there is a down migration.
    pub store_down: Option<StoreDown>,
    /// The version of the database engine that the migrations were checked on, as a number.
    pub checked_on: i32,
    pub order: VersionOrder,
    pub files: FileNames<'m>,
    /// The directory of the crate, in a debug build.
    pub manifest_dir: Option<&'m str>,
}

#[derive(Clone, Copy, Debug)]
enum List<'m, DB: Database> {
    /// Made at run time.
    Made(&'m [Migration<'m, DB>]),
    /// Written by the macro: the text of all files in one, and where each migration's part of it is. Had each string a
    /// constant of its own, its symbol and its relocation would take more room than a path.
    Embedded(&'m str, &'m [Entry]),
}

/// An embedded migration's place in the text of its directory: the lengths, in bytes, of its path, of its up SQL and of
/// its down SQL, which follow each other.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub version: i64,
    pub checksum: [u8; 32],
    pub fingerprint: [u8; 32],
    /// The first byte of the path.
    pub start: u32,
    pub path: u16,
    /// The length of the path of the down migration, behind it; 0 if it follows from the other.
    pub down_path: u16,
    /// The first byte and the length of the name in the path.
    pub name: (u16, u16),
    pub up: u32,
    /// 0 if there is no down migration.
    pub down: u32,
    /// The length of the reason why there is none, if the file says so; it follows the SQL.
    pub irreversible: Option<u32>,
    /// The lengths of what the up and the down migration take; they follow the reason.
    pub up_losses: u32,
    pub down_losses: u32,
    /// The length of the names of the tables that the up migration touches, if they are known; they follow the losses.
    pub touched: Option<u32>,
    pub up_line: u32,
    pub down_line: u32,
    pub up_keys: ForeignKeys,
    pub down_keys: ForeignKeys,
    pub up_no_transaction: bool,
    pub down_no_transaction: bool,
    /// What of the up SQL's file is blank here, each with its offset.
    pub up_blanked: &'static [(u32, &'static str)],
}

impl Entry {
    fn migration<'m, DB: Database>(&'m self, text: &'m str) -> Migration<'m, DB> {
        let mut rest = text.get(index(self.start)..).unwrap_or_default();
        let mut next = |len: usize| {
            let (part, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
            rest = after;
            part
        };
        let paths = next(usize::from(self.path) + usize::from(self.down_path));
        let path = paths.get(..self.path.into()).unwrap_or_default();
        let up = next(index(self.up));
        let down = next(index(self.down));
        let irreversible = self.irreversible.map(|len| next(index(len)));
        let (up_losses, down_losses) = (next(index(self.up_losses)), next(index(self.down_losses)));
        let touched = self.touched.map(|len| next(index(len)));
        let (start, len) = (usize::from(self.name.0), usize::from(self.name.1));
        Migration {
            set: "",
            directory: "",
            version: self.version,
            paths,
            down_path: self.down_path,
            name: path.get(start..start + len).unwrap_or(path),
            checksum: Checksum::from_bytes(self.checksum),
            fingerprint: Some(Fingerprint::from_bytes(self.fingerprint)),
            up: Script { sql: up, line: self.up_line, keys: self.up_keys, no_transaction: self.up_no_transaction },
            down: (self.down > 0).then_some(Script {
                sql: down,
                line: self.down_line,
                keys: self.down_keys,
                no_transaction: self.down_no_transaction,
            }),
            store_down: None,
            irreversible,
            losses: [up_losses, down_losses],
            touched,
            blanked: &self.up_blanked,
            hook: None,
        }
    }
}

fn index(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl<'m, DB: Database> Migrations<'m, DB> {
    /// The set named `set`, read from `directory` (which only errors mention).
    ///
    /// `list` is ordered by version, and no version stands in it twice; a list that is not so is refused when it is
    /// used, with [`SetsProblem::Disordered`](crate::SetsProblem::Disordered).
    #[must_use]
    pub const fn new(set: &'m str, directory: &'m str, list: &'m [Migration<'m, DB>]) -> Self {
        Self {
            set,
            directory,
            list: List::Made(list),
            after: &[],
            table_prefix: "",
            hooks: &[],
            store_down: None,
            checked_on: 0,
            order: VersionOrder::Number,
            files: FileNames::Layout,
            manifest_dir: None,
        }
    }

    /// The same set, to be applied after these migrations of other sets.
    #[doc(hidden)]
    #[must_use]
    pub const fn after(self, after: &'m [Base<'m>]) -> Self {
        Self { after, ..self }
    }

    /// The same set, as one that was checked on the engine of this version.
    #[doc(hidden)]
    #[must_use]
    pub const fn checked_on(self, version: i32) -> Self {
        Self { checked_on: version, ..self }
    }

    /// The same set, which owns the tables and views whose names start with `prefix`, in upper or lower case, and what
    /// is on them.
    ///
    /// Where several sets share a database, [`Migrator::verify`] and [`Migrator::adopt`] compare each with its own
    /// part of the schema. A set without a prefix owns what has the prefix of no other set.
    #[must_use]
    pub const fn table_prefix(self, prefix: &'m str) -> Self {
        Self { table_prefix: prefix, ..self }
    }

    /// What the macro writes.
    #[doc(hidden)]
    #[must_use]
    pub const fn embedded(embedded: Embedded<'m, DB>) -> Self {
        let Embedded {
            set,
            directory,
            text,
            entries,
            after,
            table_prefix,
            hooks,
            store_down,
            checked_on,
            order,
            files,
            manifest_dir,
        } = embedded;
        let list = List::Embedded(text, entries);
        Self { set, directory, list, after, table_prefix, hooks, store_down, checked_on, order, files, manifest_dir }
    }

    /// The same set, with its versions in another order.
    pub(crate) const fn in_order(self, order: VersionOrder) -> Self {
        Self { order, ..self }
    }

    /// How the files of the set's directory are told apart.
    #[doc(hidden)]
    #[must_use]
    pub const fn file_names(&self) -> FileNames<'m> {
        self.files
    }

    /// What the versions of the set are sorted by.
    #[doc(hidden)]
    #[must_use]
    pub const fn order(&self) -> VersionOrder {
        self.order
    }

    /// What a version of the set is sorted by.
    #[doc(hidden)]
    #[must_use]
    pub const fn key(&self, version: i64) -> (u64, i64) {
        self.order.key(version)
    }

    /// The set's name in the history table.
    #[must_use]
    pub const fn set(&self) -> &'m str {
        self.set
    }

    /// The directory that the migrations were read from, as the macro was given it.
    #[must_use]
    pub const fn directory(&self) -> &'m str {
        self.directory
    }

    /// Where that directory was when the program was compiled. A release build does not know it, so that the same sources
    /// give the same binary wherever they are.
    #[must_use]
    pub fn source_directory(&self) -> Option<PathBuf> {
        self.manifest_dir.map(|manifest_dir| Path::new(manifest_dir).join(self.directory))
    }

    /// How many migrations there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.list {
            List::Made(list) => list.len(),
            List::Embedded(_, entries) => entries.len(),
        }
    }

    /// Whether there is no migration.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The migrations, in the order of their versions.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Migration<'m, DB>> + ExactSizeIterator + use<'m, DB> {
        let this = *self;
        (0..self.len()).map(move |at| this.at(at))
    }

    /// The migration of this version.
    #[must_use]
    pub fn get(&self, version: i64) -> Option<Migration<'m, DB>> {
        let key = self.key(version);
        let at = match self.list {
            List::Made(list) => list.binary_search_by_key(&key, |migration| self.key(migration.version)),
            List::Embedded(_, entries) => entries.binary_search_by_key(&key, |entry| self.key(entry.version)),
        };
        at.ok().map(|at| self.at(at))
    }

    /// The migration at this place of the list. It is asked for in many places, and would be unpacked in each.
    #[inline(never)]
    fn at(&self, at: usize) -> Migration<'m, DB> {
        let migration = match self.list {
            List::Made(list) => list[at],
            List::Embedded(text, entries) => entries[at].migration(text),
        };
        let hook = self.hooks.iter().find(|hook| hook.version == migration.version).map(|hook| hook.run);
        Migration {
            hook: hook.or(migration.hook),
            store_down: self.store_down.or(migration.store_down),
            ..migration.in_set(self.set, self.directory)
        }
    }

    /// Whether one of the migrations is this one.
    pub(crate) fn has(&self, base: &Base<'_>) -> bool {
        self.get(base.version).is_some_and(|migration| *migration.checksum().as_bytes() == base.checksum)
    }

    /// The newest migration.
    #[must_use]
    pub fn latest(&self) -> Option<Migration<'m, DB>> {
        self.iter().next_back()
    }

    /// Applies all pending migrations in one transaction: all of them, or none.
    ///
    /// This is [`Migrator::migrate`] with its defaults.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::migrate`]; the database is then as it was.
    pub fn migrate<'a, C: Connection<Database = DB>>(
        &'a self,
        conn: &'a mut C,
    ) -> C::Outcome<'a, Result<Report, Error>> {
        let handle = conn.handle();
        C::outcome(async move { Migrator::new(self).run(handle, Goal::Up).await })
    }
}
