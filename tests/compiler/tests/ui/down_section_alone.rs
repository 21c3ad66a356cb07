molos::embed_migrations!("ui/down_section_alone");

fn main() {}
