//! Module structure: no two files of this crate name each other, directly or through others.

use std::path::{Path, PathBuf};

use crate::module_graph::{cycles, cycles_among, sources};

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    cycles_among(&files)
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn no_two_files_name_each_other() {
    let cycles = cycles(&src());
    assert!(cycles.is_empty(), "cycles of modules:\n  {}", cycles.join("\n  "));
}

#[test]
fn a_cycle_planted_in_these_sources_is_found() {
    let mut files = sources(&src());
    let (_, lowest) = files.iter_mut().find(|(file, _)| file == "scoring/dot.rs").unwrap();
    lowest.push_str("\nfn planted() { crate::search::scan::choose_pass(); }\n");
    let cycles = cycles_among(&files);
    assert!(!cycles.is_empty());
    assert!(cycles.iter().all(|cycle| cycle.contains("scoring/dot.rs -> search/scan.rs")), "{cycles:?}");
}

#[test]
fn a_planted_cycle_is_found_directly_and_through_others() {
    let pair = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::X;"), ("b.rs", "use super::a::{Y, Z};")];
    assert_eq!(found(&pair), ["a.rs -> b.rs -> a.rs"]);
    let three = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "fn f() { crate::b::g() }"),
        ("b.rs", "use crate::{std_like, c as d};"),
        ("c.rs", "pub use crate::a::*;"),
    ];
    assert_eq!(found(&three), ["a.rs -> b.rs -> c.rs -> a.rs"]);
}

#[test]
fn a_module_and_its_child_that_names_it_are_a_cycle() {
    let files = [("lib.rs", "mod a;"), ("a/mod.rs", "mod b; pub use b::X; pub struct Y;")];
    let naming = |text| found(&[files[0], files[1], ("a/b.rs", text)]);
    for text in ["use super::Y;", "use crate::a::Y;", "fn f(y: super::Y) {}", "use super::{self};"] {
        assert_eq!(naming(text), ["a/b.rs -> a/mod.rs -> a/b.rs"], "{text}");
    }
    for text in ["", "pub(super) struct X;", "pub(in crate::a) struct X;", "use super::super::Root;"] {
        assert_eq!(naming(text), Vec::<String>::new(), "{text}");
    }
    let called = [files[0], ("a/mod.rs", "mod b; fn f() { b::g() }"), ("a/b.rs", "use super::f;")];
    assert_eq!(found(&called), ["a/b.rs -> a/mod.rs -> a/b.rs"]);
}

#[test]
fn comments_texts_tests_and_inline_modules_are_no_edges() {
    let texts = [
        "// use super::b::X;\n/* /* crate::b::X */ crate::b::X */",
        "const T: &str = \"crate::b::X\"; const R: &str = r#\"use \"crate::b::X\"#; const C: char = '\"';",
        "fn f<'a>(x: &'a str) -> &'a str { x }",
        "#[cfg(test)] mod tests { use crate::b::X; }\nfn f() {}",
        "#[cfg(test)]\n#[allow(x)]\nuse crate::b::{X, Y};\nfn f() {}",
        "mod inline { use super::Y; use self::Z; }",
        "use other::b::X; use ::b::X;",
    ];
    for text in texts {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", text), ("b.rs", "use crate::a::Y;")];
        assert_eq!(found(&files), Vec::<String>::new(), "{text}");
    }
    let inline = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod inline { use super::super::b::X; }"),
        ("b.rs", "use crate::a::Y;"),
    ];
    assert_eq!(found(&inline), ["a.rs -> b.rs -> a.rs"]);
    let file = [
        ("lib.rs", "mod a; #[cfg(test)] mod b;"),
        ("a.rs", "use crate::b::X;"),
        ("b.rs", "use crate::a::Y;"),
    ];
    assert_eq!(found(&file), Vec::<String>::new());
}
