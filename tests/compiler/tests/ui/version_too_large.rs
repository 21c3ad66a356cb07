molos::embed_migrations!("ui/version_too_large");

fn main() {}
