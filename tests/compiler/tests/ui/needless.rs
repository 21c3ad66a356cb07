molos::embed_migrations!("ui/needless");

fn main() {}
