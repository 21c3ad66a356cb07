molos::embed_migrations!("ui/option_given_twice", ignore = [], ignore = []);

fn main() {}
