//! The feature `tracing`: spans and events, as a subscriber gets them.
#![cfg(feature = "tracing")]

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use molos::rusqlite::Connection;
use molos::{Migration, Migrations, Migrator, Rollback};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// Writes down what it is told, spans with what is in them indented.
#[derive(Clone)]
struct Recorder {
    level: Level,
    next: Arc<AtomicU64>,
    depth: Arc<AtomicU64>,
    lines: Arc<Mutex<Vec<String>>>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.0 = format!("{value:?}{}", self.0),
            // It differs from run to run.
            "elapsed_us" => self.0 += " elapsed_us",
            name => self.0.extend([" ", name, "=", &format!("{value:?}")]),
        }
    }
}

impl Recorder {
    fn new(level: Level) -> Self {
        let (next, depth, lines) = Default::default();
        Self { level, next, depth, lines }
    }

    fn write(&self, line: &str) {
        let depth = usize::try_from(self.depth.load(Ordering::SeqCst)).expect("a depth");
        self.lines.lock().expect("the lines").push(format!("{}{line}", "  ".repeat(depth)));
    }

    fn lines(self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().expect("the lines"))
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "molos" && metadata.level() <= &self.level
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(String::new());
        span.record(&mut fields);
        self.write(&format!("{}{}", span.metadata().name(), fields.0));
        Id::from_u64(self.next.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.write(&fields.0);
    }

    fn enter(&self, _span: &Id) {
        self.depth.fetch_add(1, Ordering::SeqCst);
    }

    fn exit(&self, _span: &Id) {
        self.depth.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_call_is_a_span_with_a_span_for_each_step() {
    let list = [
        Migration::new(1, "notes", "CREATE TABLE notes (body TEXT);").with_down("DROP TABLE notes;"),
        Migration::new(2, "tags", "CREATE TABLE tags (tag TEXT); SELECT nothing;"),
    ];
    let migrations = Migrations::new("app", "migrations", &list);
    let record = |level, run: &dyn Fn()| {
        let recorder = Recorder::new(level);
        tracing::subscriber::with_default(recorder.clone(), run);
        recorder.lines()
    };

    let conn = std::cell::RefCell::new(Connection::open_in_memory().expect("a database"));
    let lines = record(Level::INFO, &|| {
        Migrator::new(&migrations).up_to(1).migrate(&mut *conn.borrow_mut()).expect("the first step");
    });
    let expected = [
        "migrate sets=\"app\"",
        "  step set=\"app\" version=1 name=\"notes\" direction=up",
        "    finished elapsed_us",
        "  committed",
    ];
    assert_eq!(lines, expected);

    let lines = record(Level::DEBUG, &|| {
        migrations.migrate(&mut *conn.borrow_mut()).expect_err("a statement fails");
    });
    let expected = [
        "migrate sets=\"app\"",
        "  step set=\"app\" version=2 name=\"tags\" direction=up",
        "    started",
        "    statement number=1 count=2 sql=\"CREATE TABLE tags (tag TEXT);\"",
        "    statement number=2 count=2 sql=\"SELECT nothing;\"",
        "  rolled back",
    ];
    assert_eq!(lines, expected);

    let lines = record(Level::INFO, &|| {
        Migrator::new(&migrations).rollback(&mut *conn.borrow_mut(), Rollback::All).expect("the rollback");
    });
    assert_eq!(lines[..2], ["rollback sets=\"app\"", "  step set=\"app\" version=1 name=\"notes\" direction=down"]);
}
