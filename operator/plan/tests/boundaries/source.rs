//! The sources of a crate as modules with their imports, read as far as names and paths need it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path below its crate; the crate itself has none.
pub(crate) type Module = Vec<String>;

/// A path that a module names, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mention {
    /// From the crate on: `["core", "kind", "Kind"]`.
    pub(crate) path: Vec<String>,
    /// Name that it is known by in the module; `None` for a path in the middle of code.
    pub(crate) alias: Option<String>,
    pub(crate) line: usize,
    /// Whether it begins at the module, and so leads out of the crate unless the module has such a child.
    is_relative: bool,
}

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) mentions: Vec<Mention>,
}

/// A piece of code: a word, or one character of punctuation (`::` is one piece).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Whether it is what stands between quotation marks.
    pub(crate) is_text: bool,
}

/// Every module of the crate whose sources are in `folder`.
pub(crate) fn modules(folder: &Path) -> BTreeMap<Module, File> {
    let mut files = Vec::new();
    collect(folder, &mut files);
    let read = |path: PathBuf| {
        let module = module(path.strip_prefix(folder).unwrap());
        let mentions = mentions(&tokens(&fs::read_to_string(&path).unwrap()), &module);
        (module, File { path: path.strip_prefix(folder).unwrap().to_owned(), mentions })
    };
    let mut modules: BTreeMap<Module, File> = files.into_iter().map(read).collect();
    let known: BTreeSet<Module> = modules.keys().cloned().collect();
    for (module, file) in &mut modules {
        let is_child = |mention: &Mention| known.contains(mention.path.get(..=module.len()).unwrap_or_default());
        file.mentions.retain(|mention| !mention.is_relative || is_child(mention));
    }
    modules
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// `a/mod.rs` is `a`, `a/b.rs` is `a::b`, `lib.rs` is the crate, and `b_tests.rs` holds the tests of `b`.
fn module(path: &Path) -> Module {
    let mut module: Module = path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    match module.last().map(String::as_str) {
        Some("mod" | "lib" | "main") => {
            module.pop();
        }
        Some(last) => {
            if let Some(tested) = last.strip_suffix("_tests").map(ToOwned::to_owned) {
                module.pop();
                module.extend([tested, "tests".to_owned()]);
            }
        }
        None => {}
    }
    module
}

/// Words and punctuation; comments are left out.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, kind) = piece(rest, first);
        let (piece, after) = rest.split_at(length);
        match kind {
            Piece::Nothing => {}
            Piece::Code => tokens.push(Token { text: piece.to_owned(), line, is_text: false }),
            Piece::Text => tokens.push(Token { text: piece.to_owned(), line, is_text: true }),
        }
        line += piece.matches('\n').count();
        rest = after;
    }
    tokens
}

enum Piece {
    Nothing,
    Code,
    Text,
}

/// Length in bytes and meaning of what comes first.
fn piece(rest: &str, first: char) -> (usize, Piece) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Piece::Nothing);
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(rest.len(), |end| end + 2), Piece::Nothing);
    }
    if first == '"' {
        return (quoted(rest, 1), Piece::Text);
    }
    for prefix in ["r\"", "r#", "br\"", "br#"] {
        let Some(behind) = rest.strip_prefix(prefix.trim_end_matches(['"', '#'])).filter(|_| rest.starts_with(prefix))
        else {
            continue;
        };
        let hashes = behind.len() - behind.trim_start_matches('#').len();
        let start = rest.len() - behind.len() + hashes + 1;
        if behind[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return (rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()), Piece::Text);
        }
    }
    if first == '\'' {
        // A character, unless it is a lifetime.
        let mut characters = rest.char_indices().skip(1);
        let (_, second) = characters.next().unwrap_or((0, '\''));
        if second == '\\' {
            return (rest[2..].find('\'').map_or(rest.len(), |at| at + 3), Piece::Nothing);
        }
        if let Some((at, '\'')) = characters.next() {
            return (at + 1, Piece::Nothing);
        }
        return (1, Piece::Nothing);
    }
    if is_word(first) {
        return (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), Piece::Code);
    }
    if rest.starts_with("::") {
        return (2, Piece::Code);
    }
    (first.len_utf8(), if first.is_whitespace() { Piece::Nothing } else { Piece::Code })
}

fn quoted(text: &str, start: usize) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().filter(|(at, _)| *at >= start) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Every path of the crate in a file: what `use` brings in, and what code names from `crate`, `self` or `super` on.
fn mentions(tokens: &[Token], file: &Module) -> Vec<Mention> {
    let mut found = Vec::new();
    // Inline modules, each with the depth of braces that it ends at.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token: &Token| !token.is_text && token.text == text);
    while let Some(token) = tokens.get(at) {
        let here = || file.iter().chain(inline.iter().map(|(name, _)| name)).cloned().collect::<Module>();
        match token.text.as_str() {
            _ if token.is_text => {}
            "mod" if is(at + 2, "{") => {
                inline.push((tokens[at + 1].text.clone(), depth));
                depth += 1;
                at += 3;
                continue;
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inline.last().is_some_and(|(_, end)| *end == depth) {
                    inline.pop();
                }
            }
            "use" if !is(at + 1, "<") => {
                let is_of_file = inline.is_empty();
                at = tree(tokens, at + 1, &[], &mut |path, name, line| {
                    let alias = is_of_file.then(|| name.to_owned());
                    found.extend(mention(path, &here(), alias, line));
                });
                continue;
            }
            // `pub(in crate::a)` says who may look, not what is needed.
            "in" if at > 0 && is(at - 1, "(") => at += 1,
            word if is_name(word) && is(at + 1, "::") && !(at > 0 && is(at - 1, "::")) => {
                let mut path = vec![token.text.clone()];
                while is(at + 1, "::") && tokens.get(at + 2).is_some_and(|next| is_name(&next.text)) {
                    path.push(tokens[at + 2].text.clone());
                    at += 2;
                }
                found.extend(mention(&path, &here(), None, token.line));
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads a tree of `use` and reports each of its leaves with the name it gets; returns where the tree ends.
fn tree(tokens: &[Token], start: usize, prefix: &[String], report: &mut dyn FnMut(&[String], &str, usize)) -> usize {
    let mut path = prefix.to_vec();
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => {}
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = tree(tokens, at, &path, report);
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => {
                report(&path, &tokens[at + 1].text, token.line);
                return at + 2;
            }
            "," | "}" | ";" => {
                // `a::{self}` is `a`.
                if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                let name = path.last().cloned().unwrap_or_default();
                report(&path, &name, token.line);
                return at;
            }
            _ => path.push(token.text.clone()),
        }
        at += 1;
    }
    at
}

/// The mention of a path as the module `here` writes it; `None` when it leads above the crate.
fn mention(written: &[String], here: &Module, alias: Option<String>, line: usize) -> Option<Mention> {
    let first = written.first()?.as_str();
    let is_relative = !matches!(first, "crate" | "super" | "self");
    let mut path = if first == "crate" { Vec::new() } else { here.clone() };
    for part in written {
        match part.as_str() {
            "super" => {
                path.pop()?;
            }
            "crate" | "self" => {}
            _ => path.push(part.clone()),
        }
    }
    Some(Mention { path, alias, line, is_relative })
}

/// The module that a path leads to, through whatever `use` passes it on.
pub(crate) fn target(modules: &BTreeMap<Module, File>, path: &[String]) -> Module {
    let mut path = path.to_vec();
    let mut seen = BTreeSet::new();
    loop {
        let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length])).unwrap_or_default();
        let (module, rest) = path.split_at(length);
        let module = module.to_vec();
        let is_it = |mention: &&Mention| mention.alias.is_some() && mention.alias.as_ref() == rest.first();
        let passed_on = modules[&module].mentions.iter().find(is_it).map(|mention| mention.path.clone());
        match passed_on {
            Some(mut onward) if seen.insert(path.clone()) => {
                onward.extend(rest[1..].iter().cloned());
                path = onward;
            }
            _ => return module,
        }
    }
}
