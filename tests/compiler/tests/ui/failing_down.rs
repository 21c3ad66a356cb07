molos::embed_migrations!("ui/failing_down");

fn main() {}
