molos::embed_migrations!("ui/error_in_trigger");

fn main() {}
