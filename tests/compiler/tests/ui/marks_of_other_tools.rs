molos::embed_migrations!("ui/marks_of_other_tools");

fn main() {}
