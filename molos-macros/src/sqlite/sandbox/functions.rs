//! Stand-ins for the functions that the program registers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicI64, Ordering};

use molos_runtime::rusqlite::functions::FunctionFlags;
use molos_runtime::rusqlite::types::{ToSqlOutput, Value, ValueRef};
use molos_runtime::rusqlite::{Connection, Result};

use crate::input::Function;

/// Registers a stand-in for one of the program's functions. Its value is true, not null, the same for the same
/// arguments and (all but certainly) another for others, so that checks and unique columns accept it.
pub(super) fn register(conn: &Connection, function: &Function) -> Result<()> {
    let deterministic = if function.arguments == 0 {
        // Something like `new_id()`.
        FunctionFlags::empty()
    } else {
        FunctionFlags::SQLITE_DETERMINISTIC
    };
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS | deterministic;
    let calls = AtomicI64::new(0);
    conn.create_scalar_function(function.name.as_str(), function.arguments, flags, move |context| {
        if context.is_empty() {
            return Ok(ToSqlOutput::Owned(Value::Integer(1 + calls.fetch_add(1, Ordering::Relaxed))));
        }
        let mut hasher = DefaultHasher::new();
        for argument in 0..context.len() {
            match context.get_raw(argument) {
                ValueRef::Null => 0.hash(&mut hasher),
                ValueRef::Integer(value) => value.hash(&mut hasher),
                ValueRef::Real(value) => value.to_bits().hash(&mut hasher),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(&mut hasher),
            }
        }
        let positive = i64::try_from(hasher.finish() >> 1).unwrap_or(1).max(1);
        Ok(ToSqlOutput::Owned(Value::Integer(positive)))
    })
}
