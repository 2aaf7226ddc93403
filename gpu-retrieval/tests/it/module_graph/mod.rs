//! The module graph of a crate, built from the paths in its sources, and its cycles.
//!
//! A text-based reader: comments and string contents are dropped, `use` trees and inline paths (`crate::…`, `self::…`,
//! `super::…`, and paths that begin with a child module) are resolved to the longest module they name. `mod x;` is no
//! edge. Items under `#[cfg(test)]` are not read: a test may look at anything. Self-contained, so that another crate's
//! tests can include it: `#[path = "../../gpu-retrieval/tests/module_graph/mod.rs"] mod module_graph;`

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod tokens;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use tokens::{is_word, tokens};

type ModulePath = Vec<String>;
/// For each file the files that it names.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The cycles among the files below `src`, each as `a.rs -> b.rs -> a.rs`; every file on a cycle is in one of them.
pub(crate) fn cycles(src: &Path) -> Vec<String> {
    cycles_among(&sources(src))
}

/// The cycles that remain when the head of a folder (`x/mod.rs`) may name the files below it, as a folder that composes
/// its parts does.
pub(crate) fn cycles_apart_from_heads(files: &[(String, String)]) -> Vec<String> {
    let mut graph = graph(files);
    for (file, named) in &mut graph {
        if let Some(folder) = file.strip_suffix("mod.rs") {
            named.retain(|other| !other.starts_with(folder));
        }
    }
    cycles_of(&graph)
}

/// The files that each file names.
pub(crate) fn named_by(files: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    graph(files)
}

/// The Rust files below `src`: path from there, and text.
pub(crate) fn sources(src: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(src, src, &mut files);
    assert!(!files.is_empty(), "no sources below {}", src.display());
    files
}

/// [`cycles`] of sources given as path from the source root, and text.
pub(crate) fn cycles_among(files: &[(String, String)]) -> Vec<String> {
    cycles_of(&graph(files))
}

fn cycles_of(graph: &Graph) -> Vec<String> {
    let (mut cycles, mut seen) = (Vec::new(), BTreeSet::new());
    for file in graph.keys().filter(|file| !seen.contains(*file)).cloned().collect::<Vec<_>>() {
        if !seen.contains(&file)
            && let Some(cycle) = shortest_cycle(graph, &file)
        {
            seen.extend(cycle.iter().cloned());
            cycles.push(cycle.join(" -> "));
        }
    }
    cycles
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// `a/mod.rs` and `a.rs` are module `a`; `lib.rs` and `main.rs` are the root.
fn module_of(file: &str) -> ModulePath {
    let mut path: ModulePath = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    let is_root = path.len() == 1 && ["lib", "main"].contains(&path[0].as_str());
    if is_root || path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

fn graph(files: &[(String, String)]) -> Graph {
    let modules: BTreeMap<ModulePath, &str> =
        files.iter().map(|(file, _)| (module_of(file), file.as_str())).collect();
    let mut graph = Graph::new();
    let mut only_for_tests = BTreeSet::new();
    for (file, text) in files {
        let mut reader = Reader::new(&modules, module_of(file), tokens(text));
        reader.read();
        reader.named.remove(file);
        only_for_tests.extend(reader.only_for_tests);
        graph.insert(file.clone(), reader.named);
    }
    let is_test = |file: &str| {
        let module = module_of(file);
        (1..=module.len()).any(|length| only_for_tests.contains(&module[..length]))
    };
    graph.retain(|file, _| !is_test(file));
    graph
}

/// The shortest way from a file back to itself.
fn shortest_cycle(graph: &Graph, start: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in graph.get(file).into_iter().flatten() {
            if next == start {
                let mut cycle = vec![start.to_owned()];
                let mut at = file;
                while at != start {
                    cycle.push(at.to_owned());
                    at = before[at];
                }
                cycle.push(start.to_owned());
                cycle.reverse();
                return Some(cycle);
            }
            if graph.contains_key(next) && !before.contains_key(next.as_str()) {
                before.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// Walks over the tokens of one file.
struct Reader<'a> {
    modules: &'a BTreeMap<ModulePath, &'a str>,
    tokens: Vec<String>,
    at: usize,
    /// The module that the walk is in: the file's, or an inline one.
    module: ModulePath,
    /// Brace depth at which each open inline module began.
    inline: Vec<usize>,
    depth: usize,
    /// Files named.
    named: BTreeSet<String>,
    /// Modules declared under `#[cfg(test)]`.
    only_for_tests: BTreeSet<ModulePath>,
}

impl<'a> Reader<'a> {
    fn new(modules: &'a BTreeMap<ModulePath, &'a str>, module: ModulePath, tokens: Vec<String>) -> Self {
        Self {
            modules,
            tokens,
            at: 0,
            module,
            inline: Vec::new(),
            depth: 0,
            named: BTreeSet::new(),
            only_for_tests: BTreeSet::new(),
        }
    }

    fn token(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    fn is_next(&self, wanted: &[&str]) -> bool {
        wanted.iter().enumerate().all(|(ahead, wanted)| self.token(ahead) == *wanted)
    }

    fn read(&mut self) {
        while self.at < self.tokens.len() {
            if self.is_next(&["#", "[", "cfg", "(", "test", ")", "]"]) {
                self.at += 7;
                self.skip_item();
            } else if self.is_next(&["pub", "(", "in"]) {
                while self.at < self.tokens.len() && self.token(0) != ")" {
                    self.at += 1;
                }
            } else if self.token(0) == "use" {
                self.at += 1;
                self.use_tree(&self.module.clone(), true);
            } else if self.token(0) == "mod" && self.token(2) == "{" {
                let name = self.token(1).to_owned();
                self.module.push(name);
                self.inline.push(self.depth);
                self.depth += 1;
                self.at += 3;
            } else if self.starts_path() {
                self.path();
            } else {
                self.count_brace();
                self.at += 1;
            }
        }
    }

    fn count_brace(&mut self) {
        match self.token(0) {
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self.inline.last() == Some(&self.depth) {
                    self.inline.pop();
                    self.module.pop();
                }
            }
            _ => {}
        }
    }

    /// Skips the item after a `#[cfg(test)]`, noting a module that is declared there.
    fn skip_item(&mut self) {
        let mut depth = 0usize;
        while self.at < self.tokens.len() {
            match self.token(0) {
                "mod" if depth == 0 && self.token(2) == ";" => {
                    let mut module = self.module.clone();
                    module.push(self.token(1).to_owned());
                    self.only_for_tests.insert(module);
                }
                "(" | "[" | "{" => depth += 1,
                ")" | "]" => depth = depth.saturating_sub(1),
                "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 && self.token(1) != ";" {
                        self.at += 1;
                        return;
                    }
                }
                ";" if depth == 0 => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// True if a path of this crate begins here that is not in a `use`.
    fn starts_path(&self) -> bool {
        let follows_path = self.at > 0 && self.tokens[self.at - 1] == "::";
        !follows_path
            && self.token(1) == "::"
            && (["crate", "self", "super"].contains(&self.token(0)) || self.is_child(self.token(0)))
    }

    fn is_child(&self, name: &str) -> bool {
        let child: ModulePath = self.module.iter().cloned().chain([name.to_owned()]).collect();
        self.modules.contains_key(&child)
    }

    fn path(&mut self) {
        let mut segments = vec![self.token(0).to_owned()];
        self.at += 1;
        while self.token(0) == "::" && self.token(1).starts_with(is_word) {
            segments.push(self.token(1).to_owned());
            self.at += 2;
        }
        if let Some(base) = self.step(&self.module.clone(), &segments[0], true) {
            let end = segments[1..]
                .iter()
                .try_fold(base, |base, segment| self.step(&base, segment, false).ok_or(()).or(Err(base)));
            let end = end.unwrap_or_else(|stopped| stopped);
            self.name(&end);
        }
    }

    /// Reads a `use` tree below `base`.
    fn use_tree(&mut self, base: &ModulePath, is_first: bool) {
        let (mut base, mut is_first, mut in_crate) = (base.clone(), is_first, !is_first);
        if self.token(0) == "::" {
            self.skip_tree();
            return;
        }
        loop {
            match self.token(0) {
                "{" => {
                    self.at += 1;
                    while !["}", ""].contains(&self.token(0)) {
                        self.use_tree(&base, is_first);
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    self.at += 1;
                    break;
                }
                segment => {
                    match self.step(&base, segment, is_first) {
                        Some(next) => (base, in_crate) = (next, true),
                        // Another crate, or an item of the module.
                        None if is_first => {
                            self.skip_tree();
                            return;
                        }
                        None => {
                            self.skip_tree();
                            break;
                        }
                    }
                    is_first = false;
                    self.at += 1;
                    if self.token(0) != "::" {
                        self.skip_tree();
                        break;
                    }
                    self.at += 1;
                }
            }
        }
        if in_crate {
            self.name(&base);
        }
    }

    /// Up to the end of this branch of a `use` tree.
    fn skip_tree(&mut self) {
        let mut depth = 0usize;
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" => depth += 1,
                "," | ";" | "}" if depth == 0 => return,
                "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// The module that a segment leads to; none if it names no module of this crate.
    fn step(&self, base: &ModulePath, segment: &str, is_first: bool) -> Option<ModulePath> {
        match segment {
            "crate" if is_first => Some(Vec::new()),
            "self" => Some(base.clone()),
            "super" => Some(base[..base.len().saturating_sub(1)].to_vec()),
            name => {
                let next: ModulePath = base.iter().cloned().chain([name.to_owned()]).collect();
                self.modules.contains_key(&next).then_some(next)
            }
        }
    }

    /// Notes the file of a module; an inline module is in the file of its parent.
    fn name(&mut self, module: &ModulePath) {
        let file = (0..=module.len()).rev().find_map(|length| self.modules.get(&module[..length]));
        self.named.extend(file.map(|file| (*file).to_owned()));
    }
}
