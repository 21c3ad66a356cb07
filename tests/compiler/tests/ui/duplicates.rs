molos::embed_migrations!("ui/duplicates");

fn main() {}
