molos::embed_migrations!("ui/irreversible_with_down");

fn main() {}
