molos::embed_migrations!("ui/unknown_option", verbose = true);

fn main() {}
