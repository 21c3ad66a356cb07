molos::embed_migrations!("ui/irreversible_down");

fn main() {}
