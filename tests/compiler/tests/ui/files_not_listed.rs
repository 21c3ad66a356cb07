molos::embed_migrations!("ui/files_not_listed", files = ["b.sql", "c.sql"]);

fn main() {}
