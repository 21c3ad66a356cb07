molos::embed_migrations!("ui/undeclared_function");

fn main() {}
