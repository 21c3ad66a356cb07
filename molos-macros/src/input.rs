//! The macro's own syntax: a directory, and options after it.

use std::collections::{BTreeMap, BTreeSet};

use molos_runtime::__private::pattern::Pattern;
use proc_macro2::{Ident, Span};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, LitInt, LitStr, Path, Result, Token, braced, bracketed};

use crate::diagnostic::{list, nearest};
use crate::lint::finding::{LINTS, Level};

/// What the user asked for.
pub(crate) struct Input {
    /// The directory of migrations, relative to the manifest of the crate that is compiled.
    pub(crate) directory: String,
    /// Where the directory is named, or the whole macro call.
    pub(crate) span: Span,
    /// What the files are called.
    pub(crate) files: Files,
    /// Files that are no migrations.
    pub(crate) ignore: Vec<LitStr>,
    /// Names for structs and fields that the database's own names do not give.
    pub(crate) rename: Vec<(LitStr, Ident)>,
    /// Rows for tables that the macro finds none for, as SQL, by table.
    pub(crate) rows: Vec<(LitStr, LitStr)>,
    /// What the program registers.
    pub(crate) registered: Registered,
    /// The program's functions that are run after migrations, by version.
    pub(crate) hooks: Vec<(LitInt, Path)>,
    /// What is made of findings that would be errors.
    pub(crate) lints: BTreeMap<&'static str, Level>,
    /// The name of the set in the history table.
    pub(crate) set: String,
    /// The directories of the sets that this one comes after.
    pub(crate) after: Vec<LitStr>,
    /// What the names of the set's tables begin with.
    pub(crate) table_prefix: String,
    /// Where to find molos.
    pub(crate) molos: Path,
}

/// What the files of the directory are called: `files = "V{version}.{name}.{up|down}.sql"`.
pub(crate) enum Files {
    /// As one of the layouts has it.
    Layout,
    /// Like this.
    Pattern(LitStr),
    /// These are the up migrations, in this order.
    Listed(Vec<LitStr>),
}

/// What the program registers with its connections, and the macro has stand-ins for.
#[derive(Default)]
pub(crate) struct Registered {
    pub(crate) functions: Vec<Function>,
    /// The names of collations.
    pub(crate) collations: Vec<String>,
}

/// An SQL function of the program's own: `"is_uuid/1"`.
pub(crate) struct Function {
    pub(crate) name: String,
    /// -1 for any number.
    pub(crate) arguments: i32,
}

const OPTIONS: &[&str] = &[
    "after",
    "collations",
    "crate",
    "files",
    "functions",
    "hooks",
    "ignore",
    "lints",
    "rename",
    "rows",
    "set",
    "table_prefix",
];

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut parsed = Self {
            directory: "migrations".to_owned(),
            span: Span::call_site(),
            files: Files::Layout,
            ignore: Vec::new(),
            rename: Vec::new(),
            rows: Vec::new(),
            registered: Registered::default(),
            hooks: Vec::new(),
            lints: BTreeMap::new(),
            set: molos_runtime::DEFAULT_SET.to_owned(),
            after: Vec::new(),
            table_prefix: String::new(),
            molos: syn::parse_str("::molos")?,
        };
        if input.peek(LitStr) {
            let directory: LitStr = input.parse()?;
            parsed.directory = directory.value();
            parsed.span = directory.span();
            if parsed.directory.is_empty() {
                return Err(Error::new(parsed.span, "the directory has no name; write `\"migrations\"`, say"));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let mut given: Vec<String> = Vec::new();
        while !input.is_empty() {
            let name = input.call(<Ident as syn::ext::IdentExt>::parse_any)?;
            if given.iter().any(|given| name == given) {
                return Err(Error::new(name.span(), format!("`{name}` is given twice")));
            }
            input.parse::<Token![=]>()?;
            parsed.option(&name, input)?;
            given.push(name.to_string());
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        parsed.check_after()?;
        Ok(parsed)
    }
}

impl Input {
    /// Checks that the directories that the set comes after are others, and that it has a name of its own.
    fn check_after(&self) -> Result<()> {
        let mut directories = vec![normal(&self.directory)];
        for after in &self.after {
            let directory = normal(&after.value());
            if directories.contains(&directory) {
                let what =
                    if directory == directories[0] { "a set cannot come after itself" } else { "it is given twice" };
                return Err(Error::new(after.span(), what));
            }
            directories.push(directory);
        }
        match self.after.first() {
            Some(first) if self.set == molos_runtime::DEFAULT_SET => {
                let text = "a set that comes after another needs a name of its own: `set = \"…\"`";
                Err(Error::new(first.span(), text))
            }
            _ => Ok(()),
        }
    }

    fn option(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        match name.to_string().as_str() {
            "files" => self.files = files(input)?,
            "ignore" => self.ignore = strings(input)?,
            "after" => self.after = strings(input)?,
            "collations" => {
                self.registered.collations = strings(input)?.iter().map(collation).collect::<Result<_>>()?;
            }
            "functions" => self.registered.functions = strings(input)?.iter().map(function).collect::<Result<_>>()?,
            "hooks" => self.hooks = hooks(input)?,
            "lints" => self.lints = lints(input)?,
            "rename" => self.rename = pairs(input)?,
            "rows" => self.rows = pairs(input)?,
            "set" => {
                let set: LitStr = input.parse()?;
                self.set = set.value();
                if self.set.is_empty() {
                    return Err(Error::new(set.span(), "a set needs a name"));
                }
            }
            "table_prefix" => {
                let prefix: LitStr = input.parse()?;
                self.table_prefix = prefix.value();
                if self.table_prefix.is_empty() {
                    return Err(Error::new(prefix.span(), "a prefix has at least one character: `\"tasks_\"`, say"));
                }
            }
            "crate" => self.molos = input.call(Path::parse_mod_style)?,
            unknown => {
                let help = nearest(unknown, OPTIONS)
                    .map_or_else(|| format!("there are {}", list(OPTIONS)), |meant| format!("did you mean `{meant}`?"));
                return Err(Error::new(name.span(), format!("unknown option `{unknown}`; {help}")));
            }
        }
        Ok(())
    }
}

/// A directory as it is written in messages: with forward slashes, and none at the end.
pub(crate) fn normal(directory: &str) -> String {
    directory.replace('\\', "/").trim_end_matches('/').to_owned()
}

fn files(input: ParseStream<'_>) -> Result<Files> {
    if !input.peek(LitStr) {
        let list = strings(input)?;
        let mut known = BTreeSet::new();
        let twice = list.iter().find(|file| !known.insert(file.value()));
        return match twice {
            Some(file) => Err(Error::new(file.span(), "it is listed twice")),
            None => Ok(Files::Listed(list)),
        };
    }
    let pattern: LitStr = input.parse()?;
    match Pattern::parse(&pattern.value()) {
        Ok(_) => Ok(Files::Pattern(pattern)),
        Err(problem) => Err(Error::new(
            pattern.span(),
            format!("{problem}; a pattern is written like `\"V{{version}}.{{name}}.{{up|down}}.sql\"`"),
        )),
    }
}

fn strings(input: ParseStream<'_>) -> Result<Vec<LitStr>> {
    let content;
    bracketed!(content in input);
    Ok(Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?.into_iter().collect())
}

fn pairs<T: Parse>(input: ParseStream<'_>) -> Result<Vec<(LitStr, T)>> {
    struct Pair<T>(LitStr, T);
    impl<T: Parse> Parse for Pair<T> {
        fn parse(input: ParseStream<'_>) -> Result<Self> {
            let from = input.parse()?;
            input.parse::<Token![=>]>()?;
            Ok(Self(from, input.parse()?))
        }
    }
    let content;
    braced!(content in input);
    let pairs = Punctuated::<Pair<T>, Token![,]>::parse_terminated(&content)?;
    Ok(pairs.into_iter().map(|Pair(from, to)| (from, to)).collect())
}

fn hooks(input: ParseStream<'_>) -> Result<Vec<(LitInt, Path)>> {
    let content;
    braced!(content in input);
    let mut hooks: Vec<(LitInt, Path)> = Vec::new();
    while !content.is_empty() {
        let version: LitInt = content.parse()?;
        let number: i64 = version.base10_parse()?;
        if hooks.iter().any(|(known, _)| known.base10_parse::<i64>().is_ok_and(|known| known == number)) {
            return Err(Error::new(version.span(), format!("version {number} has two hooks; call one from the other")));
        }
        content.parse::<Token![=>]>()?;
        hooks.push((version, content.call(Path::parse_mod_style)?));
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(hooks)
}

fn lints(input: ParseStream<'_>) -> Result<BTreeMap<&'static str, Level>> {
    let content;
    braced!(content in input);
    let mut lints = BTreeMap::new();
    while !content.is_empty() {
        let name: Ident = content.parse()?;
        let lint = LINTS.iter().copied().find(|lint| name == lint.replace('-', "_")).ok_or_else(|| {
            let known: Vec<_> = LINTS.iter().map(|lint| lint.replace('-', "_")).collect();
            Error::new(name.span(), format!("unknown lint `{name}`; there are {}", list(known)))
        })?;
        content.parse::<Token![=]>()?;
        let level: LitStr = content.parse()?;
        let level = match level.value().as_str() {
            "deny" => Level::Deny,
            "warn" => Level::Warn,
            "allow" => Level::Allow,
            _ => return Err(Error::new(level.span(), "a lint is set to `\"deny\"`, `\"warn\"` or `\"allow\"`")),
        };
        lints.insert(lint, level);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(lints)
}

fn collation(text: &LitStr) -> Result<String> {
    let name = text.value();
    if name.is_empty() || name.contains('\0') {
        return Err(Error::new(text.span(), "a collation is written with its name: `\"natural\"`, say"));
    }
    Ok(name)
}

fn function(text: &LitStr) -> Result<Function> {
    let value = text.value();
    let parsed = value.rsplit_once('/').and_then(|(name, arguments)| {
        let arguments = arguments.parse().ok().filter(|count| (-1..=127).contains(count))?;
        (!name.is_empty() && !name.contains('\0')).then(|| Function { name: name.to_owned(), arguments })
    });
    parsed.ok_or_else(|| {
        Error::new(
            text.span(),
            "a function is written with its number of arguments: `\"is_uuid/1\"`, or `\"concat_all/-1\"` for any number",
        )
    })
}
