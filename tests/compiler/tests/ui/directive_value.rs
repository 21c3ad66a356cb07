molos::embed_migrations!("ui/directive_value");

fn main() {}
