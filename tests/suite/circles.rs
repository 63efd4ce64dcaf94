//! No circle between the files of `src/`, and no long file without a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::faults::names;

/// How a long file begins to say why it is one, in a line of its own at its top.
const REASON: &str = "Longer than most: ";
const LONG: usize = 300;

type Module = Vec<String>;

#[test]
fn no_long_file_is_without_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = Vec::new();
    for room in ["src", "tests", "scripts", "examples", "benches"] {
        for name in names(&root.join(room)) {
            if [".rs", ".py", ".sh"].iter().any(|ending| name.ends_with(ending)) {
                let text = fs::read_to_string(root.join(room).join(&name)).unwrap();
                let says_why = text.lines().take(20).any(|line| line.contains(REASON));
                if text.lines().count() > LONG && !says_why {
                    long.push(format!("{room}/{name}: {} lines", text.lines().count()));
                }
            }
        }
    }
    assert!(long.is_empty(), "split by idea, or say at the top `{REASON}…`:\n{}", long.join("\n"));
}

#[test]
fn files_use_each_other_in_no_circle() {
    let house = House::read();
    let uses = house.uses();
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 100, "has the style of imports changed? {uses:?}");
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = uses.keys().map(|from| (from, reach(&uses, from))).collect();
    let mut circles = BTreeSet::new();
    for (from, all) in reached.iter().filter(|(from, all)| all.contains(*from)) {
        let circle: BTreeSet<String> =
            all.iter().filter(|to| reached[*to].contains(from)).map(|to| to.join("::")).collect();
        circles.insert(circle);
    }
    assert!(circles.is_empty(), "these use each other in a circle: {circles:#?}");
}

/// All that is used from here, at whatever distance.
fn reach<'a>(uses: &'a BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Module> = uses[from].iter().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(&uses[next]);
        }
    }
    found
}

/// The files of `src/` by the path of their module, without comments and tests.
struct House(BTreeMap<Module, String>);

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = BTreeMap::new();
        for name in names(&root) {
            let Some(path) = name.strip_suffix(".rs") else { continue };
            let mut module: Module = path.split(['/', '\\']).map(String::from).collect();
            module.retain(|part| part != "mod" && part != "lib");
            let text = fs::read_to_string(root.join(&name)).unwrap();
            let body = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code = body.lines().filter(|line| !line.trim_start().starts_with("//"));
            files.insert(module, code.collect::<Vec<_>>().join("\n"));
        }
        Self(files)
    }

    /// Which files each file uses. What a file only hands on is not used by it.
    fn uses(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let uses = |(own, code): (&Module, &String)| {
            let handed_on: BTreeSet<usize> = exports(code).into_iter().map(|(at, _)| at).collect();
            let mut used = BTreeSet::new();
            for word in ["crate::", "super::", "self::"] {
                for (at, _) in code.match_indices(word) {
                    let is_part = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
                    if !is_part && !handed_on.contains(&at) {
                        used.extend(expand(&code[at..]).iter().map(|path| self.find(own, path, 0)));
                    }
                }
            }
            // The root only hands on.
            used.retain(|module| module != own && !module.is_empty());
            (own.clone(), used)
        };
        self.0.iter().map(uses).collect()
    }

    /// The file that a path, written in the module `own`, leads to: through modules, and through what they hand on.
    fn find(&self, own: &Module, path: &[String], depth: usize) -> Module {
        let mut at = own.clone();
        for (place, part) in path.iter().enumerate() {
            match part.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                _ => {
                    let below: Module = at.iter().chain([part]).cloned().collect();
                    if self.0.contains_key(&below) {
                        at = below;
                        continue;
                    }
                    let exported = exports(&self.0[&at]).into_iter().flat_map(|(_, paths)| paths);
                    let named = exported.into_iter().find(|exported| exported.last() == Some(part));
                    return match named {
                        Some(exported) if depth < 8 && exported.as_slice() != &path[place..] => {
                            self.find(&at, &exported, depth + 1)
                        }
                        _ => at,
                    };
                }
            }
        }
        at
    }
}

/// The paths that a file hands on (`pub use`), each with where it begins.
fn exports(code: &str) -> Vec<(usize, Vec<Module>)> {
    let mut found = Vec::new();
    for word in ["pub use ", "pub(crate) use ", "pub(super) use "] {
        let begins = code.match_indices(word).map(|(at, _)| at + word.len());
        found.extend(begins.map(|at| (at, expand(&code[at..]))));
    }
    found
}

/// The paths in the text's first path: `a::{b, c::D}` is `a::b` and `a::c::D`.
fn expand(text: &str) -> Vec<Module> {
    let mut path = Module::new();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        path.push(rest[..end].to_owned());
        let Some(next) = rest[end..].strip_prefix("::") else { break };
        rest = next;
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut begin, mut found) = (0, 0, Vec::new());
            for (at, c) in group.char_indices() {
                if (c == ',' || c == '}') && depth == 0 {
                    let inner = expand(&group[begin..at]).into_iter();
                    found.extend(inner.map(|inner| [path.clone(), inner].concat()));
                    begin = at + 1;
                }
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    _ => {}
                }
            }
            return found;
        }
    }
    if path.is_empty() { Vec::new() } else { vec![path] }
}
