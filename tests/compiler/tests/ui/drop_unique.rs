molos::embed_migrations!("ui/drop_unique");

fn main() {}
