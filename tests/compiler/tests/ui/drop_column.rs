molos::embed_migrations!("ui/drop_column");

fn main() {}
