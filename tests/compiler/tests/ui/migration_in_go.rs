molos::embed_migrations!("ui/migration_in_go");

fn main() {}
