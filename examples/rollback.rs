//! Before a migration: what would run, where the database stands, and a rollback.
//!
//! Run it with `cargo run --example rollback`.

use molos::rusqlite::Connection;
use molos::{Event, Migrator, Rollback};

mod db {
    molos::embed_migrations!("migrations");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut conn = Connection::open_in_memory()?;
    let migrator = Migrator::new(&db::MIGRATIONS);

    println!("--- an older release knew two migrations");
    println!("{}", Migrator::new(&db::MIGRATIONS).up_to(2).migrate(&mut conn)?);

    println!("\n--- this one finds");
    println!("{}", migrator.status(&mut conn)?);

    println!("\n--- and says what it would do, here with the SQL of the last step");
    let plan = migrator.plan(&mut conn)?;
    println!("{plan}");
    if let Some(last) = plan.steps().last() {
        println!("\n{}", last.up().trim_end());
    }

    println!("\n--- it does it, and tells of it");
    let watched = Migrator::new(&db::MIGRATIONS).on_event(|event| match event {
        Event::Started { step, direction, .. } => println!("{direction} {} …", step.name),
        Event::Committed => println!("committed"),
        _ => {}
    });
    watched.migrate(&mut conn)?;

    println!("\n--- one step back, by its down SQL");
    println!("{}", migrator.plan_rollback(&mut conn, Rollback::Steps(1))?);
    println!("{}", migrator.rollback(&mut conn, Rollback::Steps(1))?);
    println!("\n{}", migrator.status(&mut conn)?);
    Ok(())
}
