molos::embed_migrations!("ui/unbound_parameter");

fn main() {}
