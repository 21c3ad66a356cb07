molos::embed_migrations!("ui/locked_reformatted");

fn main() {}
