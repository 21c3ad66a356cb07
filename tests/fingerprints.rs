//! The fingerprint that each migration has from the compiler is the one of the database that it makes.

use molos::rusqlite::Connection;
use molos::{Migrations, Migrator, Schema};

mod molos_schema {
    molos::embed_migrations!("migrations");
}
mod kinds {
    molos::embed_migrations!("tests/fixtures/kinds");
}
mod numbered {
    molos::embed_migrations!("tests/fixtures/numbered", ignore = ["schema.sql"]);
}
mod refinery {
    molos::embed_migrations!("tests/fixtures/refinery");
}
mod diesel {
    molos::embed_migrations!("tests/fixtures/diesel");
}
mod drizzle {
    molos::embed_migrations!("tests/fixtures/drizzle");
}
mod dbmate {
    molos::embed_migrations!("tests/fixtures/dbmate");
}

fn check(migrations: &Migrations<'_>) {
    let mut conn = Connection::open_in_memory().expect("a database");
    for migration in migrations.iter() {
        Migrator::new(migrations).to(migration.version()).migrate(&mut conn).expect("a step");
        let found = Schema::read(&conn).expect("its schema").fingerprint();
        assert_eq!(Some(found), migration.fingerprint(), "after {}", migration.name());
    }
}

#[test]
fn the_compilers_fingerprints_are_those_of_real_databases() {
    check(&molos_schema::MIGRATIONS);
    check(&kinds::MIGRATIONS);
    check(&numbered::MIGRATIONS);
    check(&refinery::MIGRATIONS);
    check(&diesel::MIGRATIONS);
    check(&drizzle::MIGRATIONS);
    check(&dbmate::MIGRATIONS);
}
