//! molos
pub use molos_macros::embed_migrations;
pub use molos_runtime::*;
