molos::embed_migrations!("ui/rename_names_nothing", rename = { "note" => Note });

fn main() {}
