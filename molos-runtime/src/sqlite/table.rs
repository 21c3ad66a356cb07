//! The traits that the generated structs implement.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, ToSql};

/// A struct that is a row of a table or view.
///
/// ```
/// use molos_runtime::Table;
/// use molos_runtime::rusqlite::{Connection, Result};
///
/// fn print_all<T: Table + std::fmt::Debug>(conn: &Connection) -> Result<()> {
///     println!("{} ({})", T::NAME, T::COLUMNS.join(", "));
///     for row in T::all(conn)? {
///         println!("{row:?}");
///     }
///     Ok(())
/// }
/// ```
pub trait Table: Sized {
    /// The table's name, as the database has it.
    const NAME: &'static str;
    /// The columns' names, in the order of the struct's fields.
    const COLUMNS: &'static [&'static str];
    /// A query for every row, with the columns in this order.
    const SELECT: &'static str;

    /// Reads a row of a query whose first columns are those of [`SELECT`](Self::SELECT).
    ///
    /// # Errors
    ///
    /// When a value is not of its field's type: SQLite checks types only in `STRICT` tables.
    fn from_row(row: &Row<'_>) -> Result<Self>;

    /// Every row, in no particular order.
    ///
    /// # Errors
    ///
    /// When the query fails, or a row cannot be read.
    fn all(conn: &Connection) -> Result<Vec<Self>> {
        conn.prepare_cached(Self::SELECT)?.query_map([], |row| Self::from_row(row))?.collect()
    }
}

/// What can be inserted into a table: its row struct, and the `New…` struct beside it, which leaves out what the
/// database fills in.
pub trait Insert {
    /// The row struct of the table.
    type Row: Table;
    /// The statement; it returns the new row.
    const INSERT: &'static str;

    /// The values of every column that can be written, in the order of the columns.
    fn values(&self) -> Vec<&dyn ToSql>;

    /// Inserts the row, and returns it as the database has it: with its defaults, its generated columns, its rowid.
    ///
    /// # Errors
    ///
    /// When a constraint refuses the row, or the statement fails otherwise.
    fn insert(&self, conn: &Connection) -> Result<Self::Row> {
        conn.prepare_cached(Self::INSERT)?.query_row(&*self.values(), Self::Row::from_row)
    }
}

/// A row of a table with a primary key, of at most 16 columns.
pub trait Keyed: Table + Insert {
    /// The primary key: a value, or a tuple of them in the order of the key's columns.
    type Key<'k>: Key;
    /// The query for the row with a key.
    const FIND: &'static str;
    /// The statement that changes every column but the key's; its parameters are numbered like
    /// [`values`](Insert::values).
    const UPDATE: &'static str;
    /// The statement that deletes the row with a key.
    const DELETE: &'static str;

    /// This row's key; `None` where the database allows a key to be `NULL`, and it is.
    fn key(&self) -> Option<Self::Key<'_>>;

    /// The row with this key, if there is one.
    ///
    /// # Errors
    ///
    /// When the query fails, or the row cannot be read.
    fn find(conn: &Connection, key: Self::Key<'_>) -> Result<Option<Self>> {
        conn.prepare_cached(Self::FIND)?.query_row(&*key.values(), Self::from_row).optional()
    }

    /// Writes this row over the one with its key. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// When a constraint refuses the new values, or the statement fails otherwise.
    fn update(&self, conn: &Connection) -> Result<bool> {
        Ok(conn.prepare_cached(Self::UPDATE)?.execute(&*self.values())? > 0)
    }

    /// Deletes the row with this row's key. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// When a foreign key or a trigger refuses, or the statement fails otherwise.
    fn delete(&self, conn: &Connection) -> Result<bool> {
        let Some(key) = self.key() else { return Ok(false) };
        Ok(conn.prepare_cached(Self::DELETE)?.execute(&*key.values())? > 0)
    }
}

/// A primary key, or a part of one.
pub trait Key {
    /// Its values, in the order of the key's columns.
    fn values(&self) -> Vec<&dyn ToSql>;
}

macro_rules! single_key {
    ($($ty:ty),*) => { $(
        impl Key for $ty {
            fn values(&self) -> Vec<&dyn ToSql> {
                vec![self]
            }
        }
    )* };
}
single_key!(i64, f64, bool, &str, &[u8], &Value);

macro_rules! composite_key {
    ($($part:ident)*) => {
        #[allow(non_snake_case)]
        impl<$($part: ToSql),*> Key for ($($part,)*) {
            fn values(&self) -> Vec<&dyn ToSql> {
                let ($($part,)*) = self;
                vec![$($part),*]
            }
        }
    };
}
composite_key!(A B);
composite_key!(A B C);
composite_key!(A B C D);
composite_key!(A B C D E);
composite_key!(A B C D E F);
composite_key!(A B C D E F G);
composite_key!(A B C D E F G H);
composite_key!(A B C D E F G H I);
composite_key!(A B C D E F G H I J);
composite_key!(A B C D E F G H I J K);
composite_key!(A B C D E F G H I J K L);
composite_key!(A B C D E F G H I J K L M);
composite_key!(A B C D E F G H I J K L M N);
composite_key!(A B C D E F G H I J K L M N O);
composite_key!(A B C D E F G H I J K L M N O P);
