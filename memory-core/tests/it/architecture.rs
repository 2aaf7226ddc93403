//! Code rules checked by tests: lengths of files and functions, dependencies between folders, and a header in every
//! file. They cover the sources of all crates of this workspace.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

const MOST_LINES_PER_FILE: usize = 400;
const MOST_LINES_PER_FUNCTION: usize = 70;

/// Rust source file: path from the workspace root, and text.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for member in ["gpu-retrieval", "memory-core", "sdk/rust", "server", "evals"] {
        collect(&root.join(member), &mut found);
    }
    assert!(found.len() > 100, "only {} sources were found", found.len());
    let mut sources: Vec<Source> = found
        .into_iter()
        .map(|file| Source {
            path: file.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"),
            text: std::fs::read_to_string(&file).unwrap(),
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The source without comments and string contents, with its line breaks.
pub(crate) fn code(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let rest = &letters[at..];
        let end = match rest {
            ['/', '/', ..] => at + rest.iter().position(|letter| *letter == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => {
                at + rest.windows(2).position(|pair| pair == ['*', '/']).map_or(rest.len(), |end| end + 2)
            }
            ['r', '"' | '#', ..] if is_raw_text(&code, rest) => at + raw_text_length(rest),
            ['"', ..] => at + text_length(rest),
            ['\'', '\\', ..] => {
                at + 2 + rest[2..].iter().skip(1).position(|l| *l == '\'').map_or(1, |end| end + 2)
            }
            ['\'', _, '\'', ..] => at + 3,
            _ => {
                code.push(rest[0]);
                at += 1;
                continue;
            }
        };
        code.extend(letters[at..end].iter().filter(|letter| **letter == '\n'));
        at = end;
    }
    code
}

fn is_raw_text(before: &str, rest: &[char]) -> bool {
    let follows_word = before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    let after_marks = rest[1..].iter().find(|letter| **letter != '#');
    // `br"` is raw too; any other word that ends in r is not.
    (!follows_word || before.ends_with('b')) && after_marks == Some(&'"')
}

fn raw_text_length(rest: &[char]) -> usize {
    let marks = rest[1..].iter().take_while(|letter| **letter == '#').count();
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', marks));
    let body = marks + 2;
    rest[body..]
        .windows(end.len())
        .position(|part| part == end)
        .map_or(rest.len(), |at| body + at + end.len())
}

fn text_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Functions of a source: name, first line (from 1), and number of lines from signature to closing brace.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut functions = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let mut words = line.split_whitespace().skip_while(|word| *word != "fn");
        let is_definition = words.next().is_some();
        let Some(name) = words.next().filter(|_| is_definition) else { continue };
        let name: String =
            name.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        let mut depth = 0i32;
        for (count, line) in lines[first..].iter().enumerate() {
            let opened = line.matches('{').count();
            depth += i32::try_from(opened).unwrap() - i32::try_from(line.matches('}').count()).unwrap();
            let ends_without_body = depth == 0 && opened == 0 && line.trim_end().ends_with(';');
            if depth == 0 && (opened > 0 || line.contains('}')) {
                functions.push((name.clone(), first + 1, count + 1));
                break;
            }
            if ends_without_body || depth < 0 {
                break;
            }
        }
    }
    functions
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/")
}

fn in_src(path: &str) -> bool {
    path.contains("/src/") && !is_test(path)
}

/// True if code contains this identifier or path, not as a part of a longer one.
pub(crate) fn names(code: &str, wanted: &str) -> bool {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(wanted)
        .any(|(at, _)| !code[..at].ends_with(inside) && !code[at + wanted.len()..].starts_with(inside))
}

pub(crate) fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn files_are_at_most_the_maximum_length() {
    let long = sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > MOST_LINES_PER_FILE).then(|| format!("{}: {lines} lines", source.path))
    });
    assert_none(&Vec::from_iter(long), "files have at most 400 lines");
}

#[test]
fn functions_are_at_most_the_maximum_length() {
    let mut long = Vec::new();
    for source in sources() {
        for (name, first, lines) in functions(&code(&source.text)) {
            if lines > MOST_LINES_PER_FUNCTION {
                long.push(format!("{}:{first}: fn {name} has {lines} lines", source.path));
            }
        }
    }
    assert_none(&long, "functions have at most 70 lines");
}

#[test]
fn every_file_has_a_header() {
    let silent = sources().into_iter().filter(|source| {
        let first = source.text.lines().find(|line| !line.trim().is_empty() && !line.starts_with("#!"));
        !first.is_some_and(|line| line.starts_with("//! "))
    });
    assert_none(&Vec::from_iter(silent.map(|source| source.path)), "every file opens with `//!`");
}

/// `autotests` is off: a file that no manifest names would never be compiled, and its tests never run.
#[test]
fn every_test_file_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let left_out = sources().into_iter().filter(|source| {
        let Some((member, file)) = source.path.split_once("/tests/") else { return false };
        let manifest = std::fs::read_to_string(root.join(member).join("Cargo.toml"));
        let is_named = || manifest.is_ok_and(|text| text.contains(&format!("path = \"tests/{file}\"")));
        !member.ends_with("/src") && !member.contains("/src/") && !file.starts_with("it/") && !is_named()
    });
    let rule = "integration tests are modules of `tests/it/main.rs`, or named in Cargo.toml";
    assert_none(&Vec::from_iter(left_out.map(|source| source.path)), rule);
}

#[test]
fn no_module_has_a_vague_name() {
    let vague = sources().into_iter().filter(|source| {
        let mut parts = source.path.trim_end_matches(".rs").split('/');
        parts.any(|part| {
            part.split('_').any(|word| {
                ["utils", "util", "common", "helpers", "helper", "manager", "misc"].contains(&word)
            })
        })
    });
    assert_none(&Vec::from_iter(vague.map(|source| source.path)), "no module is named for what it is not");
}

/// Only `folders` may contain `words`.
fn only_there(words: &[&str], folders: &[&str], rule: &str) {
    let mut broken = Vec::new();
    for source in sources().into_iter().filter(|source| in_src(&source.path)) {
        if folders.iter().any(|folder| source.path.starts_with(folder)) {
            continue;
        }
        let code = code(&source.text);
        broken.extend(
            words.iter().filter(|word| names(&code, word)).map(|word| format!("{}: {word}", source.path)),
        );
    }
    assert_none(&broken, rule);
}

#[test]
fn each_external_library_is_confined_to_its_folder() {
    only_there(&["sqlx"], &["memory-core/src/store/sql/"], "only the SQL store knows sqlx");
    only_there(
        &["fastembed", "ort", "tokenizers"],
        &["memory-core/src/model/"],
        "only models know their runtime",
    );
    // The load generator of thinking has a language model of its own, which answers at once.
    let responder = "evals/src/bin/engrain-think-load/responder.rs";
    only_there(&["axum"], &["server/", responder], "only the server speaks HTTP");
    only_there(
        &["MemoryBankPaper"],
        &["memory-core/src/retention/", "memory-core/src/testing/", "server/src/wiring/mod.rs"],
        "only the wiring chooses a forgetting curve",
    );
    only_there(
        &["unsafe"],
        &["gpu-retrieval/src/simd/", "gpu-retrieval/src/rows/"],
        "unsafe code lives in the kernels",
    );
}

#[test]
fn the_scan_does_not_depend_on_the_memory_domain() {
    const WORDS: [&str; 8] =
        ["MemoryId", "Memory", "memory_core", "partition", "tenant", "recall", "remember", "turn"];
    let mut broken = Vec::new();
    for source in sources().into_iter().filter(|source| source.path.starts_with("gpu-retrieval/src/")) {
        let code = code(&source.text);
        broken.extend(
            WORDS.iter().filter(|word| names(&code, word)).map(|word| format!("{}: {word}", source.path)),
        );
    }
    assert_none(&broken, "gpu-retrieval speaks of rows and groups");
}

/// Without a seed, proptest draws one per run, and no failure can be reproduced.
#[test]
fn cargo_test_has_a_fixed_seed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let settings = std::fs::read_to_string(root.join(".cargo/config.toml")).unwrap();
    assert!(settings.lines().any(|line| line == "PROPTEST_RNG_SEED = \"0\""), "{settings}");
}

#[test]
fn comments_and_strings_are_not_read_as_code() {
    let text =
        "let a = \"fn { \\\" \"; // fn b() {\nlet c = '{'; let d = '\\''; /* { \n */ let e = r#\"{\"#;";
    assert_eq!(code(text), "let a = ; \nlet c = ; let d = ; \n let e = ;");
    let found = functions("trait T {\n fn a();\n fn b() {\n  x\n }\n}\nfn c() { y }\n");
    assert_eq!(found, [("b".to_owned(), 3, 3), ("c".to_owned(), 7, 1)]);
    assert!(names("use ort::x;", "ort") && !names("export", "ort") && !names("sort_by", "ort"));
}
