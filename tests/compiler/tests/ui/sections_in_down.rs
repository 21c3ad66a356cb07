molos::embed_migrations!("ui/sections_in_down");

fn main() {}
