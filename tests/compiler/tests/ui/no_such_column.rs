molos::embed_migrations!("ui/no_such_column");

fn main() {}
