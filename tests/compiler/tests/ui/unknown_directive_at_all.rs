molos::embed_migrations!("ui/unknown_directive_at_all");

fn main() {}
