molos::embed_migrations!("ui/cleared_column");

fn main() {}
