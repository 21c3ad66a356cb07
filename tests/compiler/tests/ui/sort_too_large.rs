molos::embed_migrations!("ui/sort_too_large");

fn main() {}
