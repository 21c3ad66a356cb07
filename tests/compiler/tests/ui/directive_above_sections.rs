molos::embed_migrations!("ui/directive_above_sections");

fn main() {}
