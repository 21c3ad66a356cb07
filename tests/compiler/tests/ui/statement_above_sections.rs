molos::embed_migrations!("ui/statement_above_sections");

fn main() {}
