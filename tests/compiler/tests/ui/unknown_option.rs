molos::embed_migrations!("ui/unknown_option", ignored = ["schema.sql"]);

fn main() {}
