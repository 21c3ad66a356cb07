//! A database in async code: a pool whose connections are used on tokio's threads for blocking work.
//!
//! `cargo run -p molos-example-tokio`
//!
//! SQLite has no network to wait for: its calls block, and an async wrapper does the same as is done here. The two that
//! are in use pin one rusqlite each, deadpool-sqlite 0.14 and tokio-rusqlite 0.8 the version 0.40, so that a program
//! cannot have the newest; with this there is no such choice, and each connection is one to a migrated database.

use molos::r2d2::{Manager, Pool};
use molos::rusqlite::{self, Connection};
use molos::{Insert as _, Keyed as _};

mod db {
    molos::embed_migrations!("migrations");
}
use db::tables::{NewNotes, Notes};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs `work` with a connection of the pool, without holding up what else runs on this thread.
async fn with_connection<T: Send + 'static>(
    pool: &Pool<Manager>,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T> {
    let pool = pool.clone();
    tokio::task::spawn_blocking(move || {
        // To wait for a connection that is free blocks, too.
        let mut conn = pool.get()?;
        Ok(work(&mut conn)?)
    })
    .await?
}

async fn run(pool: Pool<Manager>) -> Result<()> {
    let tasks: Vec<_> = (1..=10)
        .map(|number| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let body = format!("note {number}");
                with_connection(&pool, move |conn| NewNotes::new(&body).insert(conn)).await
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    let note = with_connection(&pool, |conn| Notes::find(conn, 10)).await?;
    println!("the last of them is {:?}", note.map(|note| note.id));
    Ok(())
}

fn main() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("molos-example-tokio-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    // Before there is a runtime: a migration is work that everything else waits for.
    let pool = Pool::new(Manager::file(directory.join("app.db"), &db::MIGRATIONS)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let result = runtime.block_on(run(pool));
    std::fs::remove_dir_all(&directory)?;
    result
}
