//! What can be asked of the server, and counted.

use super::client::Handle;
use crate::database::{DatabaseError, Inspect};
use crate::model::claim::Claim;
use crate::model::migration::Script;

impl Inspect for Handle<'_> {
    async fn version(&mut self) -> Result<i32, DatabaseError> {
        let version = self.text("SHOW server_version_num").await?;
        Ok(version.and_then(|version| version.parse().ok()).unwrap_or_default())
    }

    /// There is no server beside this one to try them on.
    async fn first_rejected(
        &mut self,
        _scripts: &[Script<'_>],
    ) -> Result<Option<(usize, DatabaseError)>, DatabaseError> {
        Ok(None)
    }

    /// None: such a database cannot be adopted yet.
    async fn claims(&mut self) -> Result<Vec<Claim>, DatabaseError> {
        Ok(Vec::new())
    }

    async fn rows_changed(&mut self) -> Result<u64, DatabaseError> {
        const CHANGES: &str =
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_xact_user_tables";
        let changes = self.text(CHANGES).await?;
        Ok(changes.and_then(|changes| changes.parse().ok()).unwrap_or_default())
    }

    async fn count(&mut self, table: &str, column: Option<&str>) -> Result<u64, DatabaseError> {
        const EXISTS: &str = "\
            SELECT to_regclass($1) IS NOT NULL AND ($2::text IS NULL OR EXISTS (SELECT 1 FROM pg_attribute \
            WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped))";
        let table = quote(table);
        let rows = self.query(EXISTS, &[&table, &column]).await?;
        if !rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false) {
            return Ok(0);
        }
        let column = column.map_or_else(|| "*".to_owned(), quote);
        let count = self.text(&format!("SELECT count({column}) FROM {table}")).await?;
        Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
    }
}

/// `name` as SQL, whatever is in it.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
