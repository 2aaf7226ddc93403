//! `docs/LIMITS.md` names every bound of the engine with its default.

use memory_core::domain::filter::Filter;
use memory_core::limits::Limits;

/// Number with a comma between groups of three digits.
fn grouped(number: &str) -> String {
    let mut grouped = String::new();
    for (at, digit) in number.chars().enumerate() {
        if at > 0 && (number.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[test]
fn the_document_names_every_bound_of_the_engine_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/LIMITS.md");
    let document = std::fs::read_to_string(path).unwrap();
    let debug = format!("{:?}", Limits::default());
    let fields = debug.trim_start_matches("Limits {").trim_end_matches('}').split(',');
    let mut checked = 0;
    for field in fields.map(str::trim).filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once(": ").unwrap();
        let row = document.lines().find(|line| line.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in LIMITS.md"));
        assert!(row.contains(&format!("| {}", grouped(value))), "{name}: {value} is not in {row}");
        checked += 1;
    }
    assert!(checked > 20, "{debug}");
    for value in [Filter::MAX_DEPTH, Filter::MAX_NODES, Filter::MAX_TESTS, Filter::MAX_VALUES] {
        assert!(document.contains(&grouped(&value.to_string())), "{value}");
    }
}
