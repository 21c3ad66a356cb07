molos::embed_migrations!("ui/unknown_lint");

fn main() {}
