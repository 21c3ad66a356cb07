molos::embed_migrations!("ui/drop_table", lints = { drop_tables = "warn" });

fn main() {}
