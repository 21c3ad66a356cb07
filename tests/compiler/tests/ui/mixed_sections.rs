molos::embed_migrations!("ui/mixed_sections");

fn main() {}
