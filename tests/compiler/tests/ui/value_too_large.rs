molos::embed_migrations!("ui/value_too_large");

fn main() {}
