molos::embed_migrations!("ui/foreign_keys_pragma");

fn main() {}
