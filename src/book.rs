//! The Rust examples of the book in `docs/`, as doctests.

macro_rules! chapters {
    ($($name:ident = $path:literal),* $(,)?) => {
        $(
            #[doc = include_str!($path)]
            struct $name;
        )*
    };
}

chapters! {
    QuickStart = "../docs/src/quick-start.md",
    Sets = "../docs/src/sets.md",
    Running = "../docs/src/running.md",
    Tables = "../docs/src/tables.md",
    Moving = "../docs/src/moving.md",
}

#[cfg(feature = "cli")]
chapters!(CommandLine = "../docs/src/command-line.md");
