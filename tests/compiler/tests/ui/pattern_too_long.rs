molos::embed_migrations!("ui/pattern_too_long");

fn main() {}
