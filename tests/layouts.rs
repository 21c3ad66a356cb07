//! A directory of every layout, as other tools write them, embedded unchanged.

mod common;
#[path = "fixtures/mod.rs"]
mod fixtures;

use molos::rusqlite::Connection;
use molos::{Checksum, Direction, Migrations, Migrator, Rollback, State};

use common::count;
use fixtures::{
    dbmate, diesel, diesel_metadata, diesel_text, drizzle, golang_migrate, goose, listed, numbered, pattern, refinery,
    rusqlite_migration, sql_migrate, sqlx_no_transaction, up_down,
};

/// Versions and names in their order, those with a down migration marked by a minus sign.
fn steps(migrations: &Migrations<'_>) -> Vec<String> {
    let step = |migration: molos::Migration<'_>| {
        let back = if migration.down().is_some() { "-" } else { "" };
        format!("{back}{} {}", migration.version(), migration.name())
    };
    migrations.iter().map(step).collect()
}

/// Applies everything, rolls back what can be, and applies it again.
fn there_and_back(migrations: &Migrations<'_>) -> Connection {
    let mut conn = Connection::open_in_memory().expect("a database");
    let migrator = Migrator::new(migrations);
    migrator.migrate(&mut conn).expect("up");
    while migrator.rollback(&mut conn, Rollback::Steps(1)).is_ok_and(|report| !report.steps().is_empty()) {}
    migrator.migrate(&mut conn).expect("up again");
    migrator.verify(&mut conn).expect("in order");
    conn
}

#[test]
fn numbered_files_are_ordered_by_their_numbers() {
    assert_eq!(steps(&numbered::MIGRATIONS), ["0 nothing_yet", "-1 books", "-2 loans", "10 publisher"]);
    there_and_back(&numbered::MIGRATIONS);
}

#[test]
fn up_and_down_files_are_pairs() {
    assert_eq!(
        steps(&up_down::MIGRATIONS),
        ["-20240115093000 readings", "-20240220110000 warmest", "20240301120000 seed"]
    );
    assert_eq!(count(&there_and_back(&up_down::MIGRATIONS), "stations"), 2);
}

#[test]
fn line_ends_and_a_byte_order_mark_are_not_in_the_binary_and_not_in_the_checksum() {
    let on_disk = include_str!("fixtures/up_down/20240115093000_readings.up.sql");
    assert!(on_disk.starts_with('\u{feff}') && on_disk.contains("\r\n"), "the checkout changed the fixture");
    let unix = on_disk.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let migration = up_down::MIGRATIONS.iter().next().expect("a migration");
    assert_eq!(migration.up(), unix);
    assert_eq!(migration.checksum(), Checksum::of(&unix));
}

#[test]
fn both_kinds_of_refinerys_files_go_up() {
    assert_eq!(steps(&refinery::MIGRATIONS), ["1 parcels", "2 tracking", "3 places", "10 rebuild"]);
    there_and_back(&refinery::MIGRATIONS);
}

#[test]
fn dashes_in_diesels_versions_are_left_out() {
    assert_eq!(
        steps(&diesel::MIGRATIONS),
        ["0 initial_setup", "-20230101123456 create_recipes", "20230203040506 ingredients", "-20230301000000 rename"]
    );
    there_and_back(&diesel::MIGRATIONS);
}

#[test]
fn golang_migrate_takes_any_ending_and_a_down_migration_alone() {
    let migrations = &golang_migrate::MIGRATIONS;
    assert_eq!(steps(migrations), ["-9 clips", "-10 note.", "-11 gone", "12 titles"]);
    let paths = |version| {
        let migration = migrations.get(version).expect("a migration");
        (migration.path(Direction::Up).into_owned(), migration.path(Direction::Down).into_owned())
    };
    assert_eq!(paths(9), ("9_clips.up..sql".to_owned(), "9_clips.down.sqlite.sql".to_owned()));
    assert_eq!(paths(10), ("10_note..up.sql".to_owned(), "10_no_note.down.sql".to_owned()));
    assert_eq!(paths(11), ("11_gone.down.sql".to_owned(), "11_gone.down.sql".to_owned()));
    there_and_back(migrations);
}

#[test]
fn a_pattern_reads_what_no_layout_does() {
    assert_eq!(steps(&pattern::MIGRATIONS), ["-9001 boats", "-10000 length"]);
    let down = pattern::MIGRATIONS.latest().expect("a migration").path(Direction::Down).into_owned();
    assert_eq!(down, "0.10/V0.length.down.sql");
    there_and_back(&pattern::MIGRATIONS);
}

#[test]
fn listed_files_are_in_the_order_of_the_list_and_a_hook_stands_between_them() {
    assert_eq!(steps(&listed::MIGRATIONS), ["1 schema", "-2 003_owners", "3 003_backfill"]);
    there_and_back(&listed::MIGRATIONS);
}

#[test]
fn diesels_versions_are_ordered_as_text() {
    let steps = steps(&diesel_text::MIGRATIONS);
    assert_eq!(steps, ["0 setup", "-202510281759200000 projects", "-20251115232503 title"]);
    let mut conn = there_and_back(&diesel_text::MIGRATIONS);
    let migrator = Migrator::new(&diesel_text::MIGRATIONS);
    let status = migrator.status(&mut conn).expect("a status");
    let shown: Vec<_> = status.steps().map(|step| (step.version, step.state)).collect();
    assert_eq!(
        shown,
        [(0, State::Applied), (202_510_281_759_200_000, State::Applied), (20_251_115_232_503, State::Applied)]
    );
    let back = migrator.rollback(&mut conn, Rollback::To(202_510_281_759_200_000)).expect("one step back");
    assert_eq!(back.steps().len(), 1);
    let half = Migrator::new(&diesel_text::MIGRATIONS)
        .up_to(202_510_281_759_200_000)
        .migrate(&mut conn)
        .expect("nothing to do");
    assert!(half.steps().is_empty());
    migrator.migrate(&mut conn).expect("up to the last");
    migrator.downgrade_to(&mut conn, 202_510_281_759_200_000).expect("one step back");
    assert_eq!(migrator.status(&mut conn).expect("a status").steps().filter(|step| step.applied.is_some()).count(), 2);
}

#[test]
fn what_tools_run_without_a_transaction_is_run_without_one() {
    let alone = |migrations: &Migrations<'_>| -> Vec<i64> {
        let alone = migrations.iter().filter(|migration| migration.is_without_transaction(Direction::Up));
        alone.map(|migration| migration.version()).collect()
    };
    assert_eq!(alone(&diesel_metadata::MIGRATIONS), [20_240_103_030_405]);
    assert_eq!(alone(&sql_migrate::MIGRATIONS), [10]);
    assert_eq!(alone(&sqlx_no_transaction::MIGRATIONS), [2]);
    for migrations in [&diesel_metadata::MIGRATIONS, &sql_migrate::MIGRATIONS, &sqlx_no_transaction::MIGRATIONS] {
        there_and_back(migrations);
    }
}

#[test]
fn folders_may_have_a_dash_after_their_number() {
    assert_eq!(steps(&rusqlite_migration::MIGRATIONS), ["1 teams", "-2 players", "10 scores"]);
    there_and_back(&rusqlite_migration::MIGRATIONS);
}

#[test]
fn drizzles_rebuild_of_a_parent_keeps_its_children() {
    assert_eq!(steps(&drizzle::MIGRATIONS), ["0 quiet_river", "1 bold_lantern", "2 heavy_anchor"]);
    assert_eq!(count(&there_and_back(&drizzle::MIGRATIONS), "entries"), 1);
}

#[test]
fn one_file_can_hold_both_ways() {
    assert_eq!(steps(&sql_migrate::MIGRATIONS), ["-1 people", "-2 age", "-10 wal"]);
    assert_eq!(steps(&goose::MIGRATIONS), ["-1 visits", "-2 referrer"]);
    there_and_back(&goose::MIGRATIONS);
    assert_eq!(steps(&dbmate::MIGRATIONS), ["-20240301120000 songs", "-20240302120000 playlists"]);
    assert_eq!(count(&there_and_back(&dbmate::MIGRATIONS), "playlists"), 2);
}

#[test]
fn an_error_in_the_down_section_is_found_in_its_own_line_of_the_file() {
    let mut conn = there_and_back(&goose::MIGRATIONS);
    conn.execute_batch("DROP TABLE visits; CREATE TABLE visits (a);").expect("a change behind molos's back");
    let error = Migrator::new(&goose::MIGRATIONS).rollback(&mut conn, Rollback::Steps(1)).expect_err("no such column");
    assert!(format!("{error:#}").contains("--> tests/fixtures/goose/00002_referrer.sql:5:32"), "{error}");
}
