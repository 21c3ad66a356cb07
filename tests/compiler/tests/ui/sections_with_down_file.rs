molos::embed_migrations!("ui/sections_with_down_file");

fn main() {}
