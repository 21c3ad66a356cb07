molos::embed_migrations!("ui/symlink_out_of_directory");

fn main() {}
