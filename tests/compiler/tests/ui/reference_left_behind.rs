molos::embed_migrations!("ui/reference_left_behind");

fn main() {}
