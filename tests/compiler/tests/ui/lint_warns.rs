#![deny(deprecated)]

molos::embed_migrations!("ui/drop_table", lints = { drop_table = "warn" });

fn main() {}
