molos::embed_migrations!("ui/nul_character");

fn main() {}
