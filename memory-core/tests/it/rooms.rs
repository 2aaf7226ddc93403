//! The order of rooms: which top-level module of this crate may name which, that no two files name each other, and that
//! pure code stays pure. Each rule is also tried on a planted violation.

use std::collections::BTreeSet;
use std::path::Path;

use crate::architecture::{assert_none, code, names};
use crate::module_graph::{cycles_apart_from_heads, named_by, sources};

/// Path from the source folder, and text.
type File = (String, String);

/// The rooms that each room may name besides itself, from the lowest to the highest. `engine` holds the parts of all; the
/// rooms from `scope` on add methods to it and therefore name it.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("text", &["domain"]),
    ("limits", &[]),
    ("model", &["domain", "text"]),
    ("retention", &["domain"]),
    ("store", &["domain", "text"]),
    ("index", &["domain", "text", "retention", "store"]),
    ("error", &["domain", "model", "store", "index"]),
    ("jobs", &["domain", "store", "error"]),
    ("field_checks", &["domain", "limits", "error"]),
    ("scope", &["domain", "retention", "store", "index", "error", "engine"]),
    ("indexing", &["domain", "text", "model", "store", "index", "error", "jobs", "engine"]),
    (
        "remember",
        &["domain", "text", "limits", "store", "error", "field_checks", "scope", "indexing", "engine"],
    ),
    ("graph", &["domain", "limits", "store", "index", "error", "field_checks", "scope", "engine"]),
    (
        "recall",
        &[
            "domain",
            "text",
            "limits",
            "retention",
            "model",
            "store",
            "index",
            "error",
            "field_checks",
            "scope",
            "indexing",
            "graph",
            "engine",
        ],
    ),
    ("working", &["domain", "text", "limits", "store", "error", "scope", "recall", "engine"]),
    (
        "memories",
        &[
            "domain",
            "text",
            "limits",
            "retention",
            "store",
            "index",
            "error",
            "field_checks",
            "scope",
            "indexing",
            "engine",
        ],
    ),
    (
        "archive",
        &["domain", "text", "limits", "store", "error", "field_checks", "scope", "indexing", "engine"],
    ),
    ("grants", &["domain", "store", "error", "engine"]),
    (
        "forgetting",
        &[
            "domain",
            "limits",
            "retention",
            "store",
            "error",
            "jobs",
            "field_checks",
            "scope",
            "memories",
            "engine",
        ],
    ),
    (
        "think",
        &[
            "domain",
            "text",
            "limits",
            "model",
            "store",
            "index",
            "error",
            "jobs",
            "field_checks",
            "scope",
            "indexing",
            "engine",
        ],
    ),
    (
        "maintenance",
        &[
            "domain",
            "model",
            "store",
            "index",
            "error",
            "field_checks",
            "scope",
            "jobs",
            "indexing",
            "graph",
            "think",
            "forgetting",
            "engine",
        ],
    ),
    (
        "engine",
        &[
            "domain",
            "limits",
            "retention",
            "model",
            "store",
            "index",
            "error",
            "jobs",
            "scope",
            "indexing",
            "graph",
            "recall",
            "memories",
            "maintenance",
            "think",
            "forgetting",
        ],
    ),
    ("lib", &["engine", "error"]),
];

/// The room in which tests' own tools live. It may name all others, and tests inside a file may name it: without its
/// feature it is not there, so that nothing else can.
const TESTING: &str = "testing";

/// Code without I/O, waiting or a clock: files and folders below `src/`.
const PURE: &[&str] = &[
    "domain/",
    "text/",
    "retention/",
    "forgetting/evictions.rs",
    "forgetting/plan.rs",
    "forgetting/request.rs",
    "graph/clusters.rs",
    "graph/node.rs",
    "graph/pagerank.rs",
    "graph/partition_graph.rs",
    "graph/paths.rs",
    "graph/spread.rs",
    "model/language_model/json/",
    "recall/assemble.rs",
    "recall/check.rs",
    "recall/contradictions.rs",
    "recall/faces.rs",
    "recall/digest_choice.rs",
    "recall/digests.rs",
    "recall/fuse.rs",
    "recall/granted.rs",
    "recall/scores.rs",
    "recall/settings.rs",
    "recall/supersession.rs",
    "recall/told.rs",
    "recall/uses.rs",
    "recall/validity_note.rs",
    "remember/check.rs",
    "field_checks.rs",
    "indexing/keys.rs",
    "scope/narrowed.rs",
    "scope/owner.rs",
    "think/amem/analyse.rs",
    "think/amem/decide.rs",
    "think/amem/evolve.rs",
    "think/amem/fields.rs",
    "think/amem/paper.rs",
    "think/calls/budget.rs",
    "think/candidate.rs",
    "think/consolidate/contract.rs",
    "think/consolidate/draft.rs",
    "think/digest/contract.rs",
    "think/digest/day.rs",
    "think/digest/item.rs",
    "think/extract/contract.rs",
    "think/extract/dates.rs",
    "think/extract/grounding.rs",
    "think/extract/prompt.rs",
    "think/extract/rules/",
    "think/extractive.rs",
    "think/facts/confidential.rs",
    "think/organise/contract.rs",
    "think/organise/edits/",
    "think/profile/mod.rs",
    "think/queue/request.rs",
    "think/resolve/",
    "think/tim/buckets.rs",
    "think/tim/gaussian.rs",
    "think/tim/groups.rs",
    "think/tim/lsh.rs",
    "think/tim/organise.rs",
    "think/tim/profile.rs",
    "think/tim/replies.rs",
    "working/admission.rs",
    "working/contents.rs",
    "working/request.rs",
    "working/response.rs",
    "working/threads.rs",
];
/// The one pure file that may read the machine's clock: it defines the injected one.
const CLOCK: &str = "domain/clock.rs";
const IMPURE_WORDS: &[&str] = &[
    "async",
    "await",
    "tokio",
    "async_trait",
    "sqlx",
    "reqwest",
    "axum",
    "parking_lot::RwLock",
    "SystemTime",
    "Instant",
    "SystemClock",
    "now",
];
/// Words of [`IMPURE_WORDS`] that are allowed where they are parameters, not readings.
const NOW_AS_PARAMETER: &str = "now";

fn files() -> Vec<File> {
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Every use of a room that the order of rooms does not allow, and every room without a place in it.
fn out_of_order(files: &[File]) -> Vec<String> {
    let mut broken = BTreeSet::new();
    for (file, named) in named_by(files) {
        let own = room(&file);
        if own == TESTING {
            continue;
        }
        let Some((_, allowed)) = MAY_NAME.iter().find(|(room, _)| *room == own) else {
            broken.insert(format!("{own} has no place in the order of rooms"));
            continue;
        };
        let others = named
            .iter()
            .map(|other| (other, room(other)))
            .filter(|(_, room)| *room != own && *room != TESTING);
        broken.extend(
            others
                .filter(|(_, room)| !allowed.contains(room))
                .map(|(other, _)| format!("{file} names {other}: {own} may not")),
        );
    }
    Vec::from_iter(broken)
}

/// Every impure word in pure code.
fn impure(files: &[File]) -> Vec<String> {
    let is_pure = |file: &str| PURE.iter().any(|pure| file.starts_with(pure)) && file != CLOCK;
    let mut broken = Vec::new();
    for (file, text) in files.iter().filter(|(file, _)| is_pure(file)) {
        let code = code(text);
        // `now` as a value is what pure code takes; reading it from something is what it must not do.
        let is_named = |word: &str| match word {
            NOW_AS_PARAMETER => code.contains(".now(") || code.contains("::now("),
            word => names(&code, word),
        };
        broken
            .extend(IMPURE_WORDS.iter().filter(|word| is_named(word)).map(|word| format!("{file}: {word}")));
    }
    broken
}

/// The violations of a rule that a planted text adds.
fn added(rule: fn(&[File]) -> Vec<String>, planted: &[File]) -> Vec<String> {
    let before = rule(&files());
    rule(planted).into_iter().filter(|violation| !before.contains(violation)).collect()
}

/// The sources with `more` at the end of a file, which is made if it is missing.
fn with(file: &str, more: &str) -> Vec<File> {
    let mut files = files();
    match files.iter_mut().find(|(name, _)| name == file) {
        Some((_, text)) => text.push_str(more),
        None => files.push((file.to_owned(), more.to_owned())),
    }
    files
}

#[test]
fn rooms_name_only_rooms_below_them() {
    assert_none(&out_of_order(&files()), "rooms name only what the order of rooms allows");
}

#[test]
fn no_two_files_name_each_other() {
    assert_none(&cycles_apart_from_heads(&files()), "the module graph has no cycle");
}

#[test]
fn pure_code_neither_waits_nor_reads_a_clock() {
    for pure in PURE {
        assert!(files().iter().any(|(file, _)| file.starts_with(pure)), "{pure} is not there: has it moved?");
    }
    assert_none(&impure(&files()), "pure code has no I/O, no waiting and no clock");
}

#[test]
fn a_planted_violation_of_each_kind_is_found() {
    let upwards = with("domain/turn.rs", "\nuse crate::store::StoreError;\n");
    assert_eq!(added(out_of_order, &upwards), ["domain/turn.rs names store/mod.rs: domain may not"]);
    let sideways = with("remember/check.rs", "\nfn f() { crate::recall::settings::Weights::default(); }\n");
    assert_eq!(
        added(out_of_order, &sideways),
        ["remember/check.rs names recall/settings.rs: remember may not"]
    );
    let unknown = with("attic.rs", "use crate::domain::id::MemoryId;\n");
    assert_eq!(added(out_of_order, &unknown), ["attic has no place in the order of rooms"]);
    let cycle: Vec<File> =
        [("a/mod.rs", "mod b; mod c;"), ("a/b.rs", "use super::c::C;"), ("a/c.rs", "use super::b::B;")]
            .map(|(file, text)| (file.to_owned(), text.to_owned()))
            .into();
    assert_eq!(cycles_apart_from_heads(&cycle), ["a/b.rs -> a/c.rs -> a/b.rs"]);
    let waiting = with("recall/fuse.rs", "\nasync fn f() {}\n");
    assert_eq!(added(impure, &waiting), ["recall/fuse.rs: async"]);
    let reading = with("text/time_expressions/words.rs", "\nfn f(clock: &dyn Clock) { clock.now(); }\n");
    assert_eq!(added(impure, &reading), ["text/time_expressions/words.rs: now"]);
}
