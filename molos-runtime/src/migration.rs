//! Migrations as data: what `embed_migrations!` writes into the binary.

use std::borrow::Cow;
use std::fmt;

use crate::driver::Driver;
use crate::script::is_blank;
use crate::{Checksum, Error, Migrator, Report};

/// One migration: a version, a name, the SQL that takes the schema up to it and, where there is one, the SQL that
/// takes it back down.
///
/// An embedded one borrows everything from the binary. Its layout is kept small: beside its SQL and its path, a migration
/// costs about 150 bytes.
#[derive(Clone, Copy, Debug)]
pub struct Migration<'m> {
    version: i64,
    path: &'m str,
    name_start: u16,
    name_len: u16,
    up_line: u32,
    down_line: u32,
    up: &'m str,
    down: Option<&'m str>,
    checksum: Checksum,
    up_keys: ForeignKeys,
    down_keys: ForeignKeys,
}

/// Whether foreign keys are enforced while a script runs.
///
/// Off is the default, so that a table can be rebuilt without its `DROP TABLE` deleting the rows that refer to it.
/// Whatever a script does, every key is checked before its transaction is committed.
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

/// A script as it stands in its file; what [`Migration::embedded`] takes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Script<'m> {
    /// The SQL.
    pub sql: &'m str,
    /// The line of the file that the SQL starts on, from 1.
    pub line: u32,
    /// Whether foreign keys are enforced while it runs.
    pub keys: ForeignKeys,
}

/// A migration's place in the text that all of a directory was put into: its path, its up and its down SQL, of so
/// many bytes each.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// The version.
    pub version: i64,
    /// The length of the path.
    pub path: usize,
    /// The first byte and the length of the name in the path.
    pub name: (u16, u16),
    /// The checksum of the up SQL.
    pub checksum: [u8; 32],
    /// The up SQL.
    pub up: Part,
    /// The down SQL.
    pub down: Option<Part>,
}

/// A script's length, its first line and its foreign keys, as in [`Script`].
#[doc(hidden)]
pub type Part = (usize, u32, ForeignKeys);

/// What the macro writes: one text and the parts of it. One constant for each string would each have a symbol in the
/// binary, which takes more room than a path.
#[doc(hidden)]
#[must_use]
pub const fn embedded<'m, const N: usize>(text: &'m str, parts: &[Parts; N]) -> [Migration<'m>; N] {
    const fn script<'m>((sql, rest): (&'m str, &'m str), (_, line, keys): Part) -> (Script<'m>, &'m str) {
        (Script { sql, line, keys }, rest)
    }
    let none = Script { sql: "", line: 1, keys: ForeignKeys::Off };
    let mut list = [Migration::embedded(0, "", (0, 0), Checksum::from_bytes([0; 32]), none, None); N];
    let mut rest = text;
    let mut at = 0;
    while at < N {
        let Parts { version, path, name, checksum, up, down } = parts[at];
        let (path, after) = rest.split_at(path);
        let (up, after) = script(after.split_at(up.0), up);
        let (down, after) = match down {
            Some(down) => {
                let (down, after) = script(after.split_at(down.0), down);
                (Some(down), after)
            }
            None => (None, after),
        };
        list[at] = Migration::embedded(version, path, name, Checksum::from_bytes(checksum), up, down);
        rest = after;
        at += 1;
    }
    list
}

impl<'m> Migration<'m> {
    /// A migration made at run time, with no proof that it works: for tests and tools.
    ///
    /// Programs embed theirs with `embed_migrations!`, which rehearses every one while the program compiles.
    #[must_use]
    pub fn new(version: i64, name: &'m str, up: &'m str) -> Self {
        let script = Script { sql: up, line: 1, keys: ForeignKeys::Off };
        let name_len = u16::try_from(name.len()).unwrap_or(u16::MAX);
        Self::embedded(version, name, (0, name_len), Checksum::of(up), script, None)
    }

    /// The same migration with SQL that takes it back. SQL without a statement is no way back.
    #[must_use]
    pub fn with_down(self, down: &'m str) -> Self {
        Self { down: (!is_blank(down)).then_some(down), ..self }
    }

    /// A migration of a file: `name` is the first byte and the length of the name in `path`.
    #[doc(hidden)]
    #[must_use]
    pub const fn embedded(
        version: i64,
        path: &'m str,
        name: (u16, u16),
        checksum: Checksum,
        up: Script<'m>,
        down: Option<Script<'m>>,
    ) -> Self {
        let (down, down_line, down_keys) = match down {
            Some(down) => (Some(down.sql), down.line, down.keys),
            None => (None, 1, ForeignKeys::Off),
        };
        Self {
            version,
            path,
            name_start: name.0,
            name_len: name.1,
            up_line: up.line,
            down_line,
            up: up.sql,
            down,
            checksum,
            up_keys: up.keys,
            down_keys,
        }
    }

    /// The version: migrations are applied in the order of these numbers.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// The name, as the file's name gives it: `initial` for `001_initial.sql`.
    #[must_use]
    pub fn name(&self) -> &'m str {
        let start = usize::from(self.name_start);
        self.path.get(start..start + usize::from(self.name_len)).unwrap_or(self.path)
    }

    /// The SQL that applies the migration, with normalised line ends.
    #[must_use]
    pub const fn up(&self) -> &'m str {
        self.up
    }

    /// The SQL that takes the migration back, if there is a way back.
    #[must_use]
    pub const fn down(&self) -> Option<&'m str> {
        self.down
    }

    /// The checksum of the file that holds the up SQL.
    #[must_use]
    pub const fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The SQL that goes in `direction`.
    #[must_use]
    pub const fn sql(&self, direction: Direction) -> Option<&'m str> {
        match direction {
            Direction::Up => Some(self.up),
            Direction::Down => self.down,
        }
    }

    /// Whether foreign keys are enforced while the script that goes in `direction` runs.
    #[must_use]
    pub const fn foreign_keys(&self, direction: Direction) -> ForeignKeys {
        match direction {
            Direction::Up => self.up_keys,
            Direction::Down => self.down_keys,
        }
    }

    /// The file of the script that goes in `direction`, relative to the directory of migrations.
    #[must_use]
    pub fn path(&self, direction: Direction) -> Cow<'m, str> {
        match direction {
            Direction::Up => Cow::Borrowed(self.path),
            // The two halves of one file: the down half never starts on the first line.
            Direction::Down if self.down_line > 1 => Cow::Borrowed(self.path),
            Direction::Down => Cow::Owned(down_path(self.path)),
        }
    }

    pub(crate) const fn first_line(&self, direction: Direction) -> u32 {
        match direction {
            Direction::Up => self.up_line,
            Direction::Down => self.down_line,
        }
    }
}

/// The file beside `up` that takes it back.
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
pub struct Migrations<'m> {
    set: &'m str,
    directory: &'m str,
    list: &'m [Migration<'m>],
}

impl<'m> Migrations<'m> {
    /// The set named `set`, read from `directory` (which only errors mention).
    ///
    /// `list` is ordered by version, and no version stands in it twice; a list that is not so is refused when it is
    /// used, with [`Error::Disordered`].
    #[must_use]
    pub const fn new(set: &'m str, directory: &'m str, list: &'m [Migration<'m>]) -> Self {
        Self { set, directory, list }
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

    /// The migrations, in the order of their versions.
    #[must_use]
    pub const fn as_slice(&self) -> &'m [Migration<'m>] {
        self.list
    }

    /// The migration of this version.
    #[must_use]
    pub fn get(&self, version: i64) -> Option<&'m Migration<'m>> {
        let at = self.list.binary_search_by_key(&version, Migration::version).ok()?;
        self.list.get(at)
    }

    /// The newest migration.
    #[must_use]
    pub const fn latest(&self) -> Option<&'m Migration<'m>> {
        self.list.last()
    }

    /// Applies all pending migrations in one transaction: all of them, or none.
    ///
    /// This is [`Migrator::migrate`] with its defaults.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::migrate`]; the database is then as it was.
    pub fn migrate<D: Driver>(&self, conn: &mut D) -> Result<Report, Error> {
        Migrator::new(self).migrate(conn)
    }
}
