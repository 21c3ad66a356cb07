molos::embed_migrations!("ui/exact_down");

fn main() {}
