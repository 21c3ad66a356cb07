molos::embed_migrations!("ui/ignore_names_nothing", ignore = ["schema.sql"]);

fn main() {}
