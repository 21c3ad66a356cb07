//! Trying migrations that were made at run time on a database in memory.

use rusqlite::Connection;

use super::{Handle, Sqlite};
use crate::database::{DatabaseError, Schemas as _, ready};
use crate::migrator::{Migrator, failed};
use crate::model::error::{Error, ErrorKind, Step};
use crate::model::migration::{Migration, Migrations};
use crate::model::plan::Rollback;
use crate::schema::Schema;

impl Migrations<'_, Sqlite> {
    /// Tries every migration on an empty database in memory: up, and where there is a down migration, down to the schema
    /// from before and up again. For tests of migrations that are made at run time; those that `embed_migrations!` embeds
    /// were tried when the program was compiled, on rows, too.
    ///
    /// ```
    /// # use molos_runtime as molos;
    /// # use molos::{Migration, Migrations};
    /// const MIGRATIONS: &[(&str, &str)] = &[("CREATE TABLE notes (body TEXT)", "DROP TABLE notes")];
    ///
    /// # fn main() {
    /// // In a test:
    /// let list: Vec<_> =
    ///     (1..).zip(MIGRATIONS).map(|(version, (up, down))| Migration::new(version, "step", up).with_down(down)).collect();
    /// assert!(Migrations::new("app", "src/db.rs", &list).validate().is_ok());
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::migrate`] and [`Migrator::rollback`], and [`ErrorKind::Drift`] if a down migration leads to
    /// another schema than the one from before.
    pub fn validate(&self) -> Result<(), Error> {
        let opened = Connection::open_in_memory();
        let mut conn = opened.map_err(|error| failed("opening a database in memory", DatabaseError::from(error)))?;
        self.validate_on(&mut conn)
    }

    /// Like [`validate`](Self::validate), on a database that the program opened: an empty one, with the functions that the
    /// migrations use.
    ///
    /// # Errors
    ///
    /// Those of `validate`.
    pub fn validate_on(&self, conn: &mut Connection) -> Result<(), Error> {
        for migration in self.iter() {
            let before = schema(conn)?;
            up_to(self, &migration, conn)?;
            if migration.down().is_none() {
                continue;
            }
            Migrator::new(self).rollback(conn, Rollback::Steps(1))?;
            let differences = schema(conn)?.differences(&before);
            if !differences.is_empty() {
                return Err(Error::new(ErrorKind::Drift { differences }).of(Step::of(&migration)));
            }
            up_to(self, &migration, conn)?;
        }
        Ok(())
    }
}

fn up_to(migrations: &Migrations<'_>, migration: &Migration<'_>, conn: &mut Connection) -> Result<(), Error> {
    Migrator::new(migrations).up_to(migration.version()).migrate(conn).map(drop)
}

fn schema(conn: &mut Connection) -> Result<Schema, Error> {
    ready(Sqlite::schema(&mut Handle(conn))).map_err(|error| failed("reading the schema", error))
}
