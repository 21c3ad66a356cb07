molos::embed_migrations!("ui/core", table_prefix = "");

fn main() {}
