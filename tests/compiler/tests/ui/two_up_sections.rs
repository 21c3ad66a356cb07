molos::embed_migrations!("ui/two_up_sections");

fn main() {}
