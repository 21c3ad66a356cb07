molos::embed_migrations!("ui/down_without_up");

fn main() {}
