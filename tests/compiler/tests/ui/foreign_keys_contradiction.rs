molos::embed_migrations!("ui/foreign_keys_contradiction");

fn main() {}
