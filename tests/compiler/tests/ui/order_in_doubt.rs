molos::embed_migrations!("ui/order_in_doubt");

fn main() {}
