molos::embed_migrations!("ui/which_statement");

fn main() {}
