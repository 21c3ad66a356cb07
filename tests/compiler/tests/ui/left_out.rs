molos::embed_migrations!("ui/left_out");

fn main() {}
