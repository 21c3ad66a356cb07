molos::embed_migrations!("ui/unknown_directive");

fn main() {}
