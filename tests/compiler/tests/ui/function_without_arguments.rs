molos::embed_migrations!("ui/function_without_arguments", functions = ["is_uuid"]);

fn main() {}
