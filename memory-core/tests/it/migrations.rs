//! Equality of the migrations of the two databases: the same files with the same tables and columns, so that one set of
//! statements serves both. Full-text search is done by Engrain's own index, never by a database.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn migrations(database: &str) -> BTreeMap<String, String> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(database);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "sql"));
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Statements of a file without comments, each on one line.
fn statements(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let code = code.join(" ");
    code.split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|statement| !statement.is_empty())
        .collect()
}

/// Parts of a list that are separated by commas outside brackets.
fn parts(list: &str) -> Vec<String> {
    let (mut parts, mut part, mut depth) = (Vec::new(), String::new(), 0);
    for letter in list.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(letter);
    }
    parts.push(part);
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// Tables with their columns and nullability; keys and constraints verbatim.
fn tables(sql: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut tables = BTreeMap::new();
    for statement in statements(sql) {
        let Some(rest) = statement.strip_prefix("CREATE TABLE ") else { continue };
        let (name, rest) = rest.split_once('(').unwrap();
        let body = &rest[..rest.rfind(')').unwrap()];
        let columns = parts(body).into_iter().map(|part| {
            let first = part.split(' ').next().unwrap_or_default();
            let is_constraint = ["PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "CONSTRAINT"].contains(&first);
            if is_constraint { part } else { column(&part) }
        });
        assert!(tables.insert(name.trim().to_owned(), columns.collect()).is_none(), "{name} is made twice");
    }
    tables
}

/// Column as both databases must have it: name and nullability.
fn column(text: &str) -> String {
    let name = text.split(' ').next().unwrap_or_default();
    // An `INTEGER PRIMARY KEY` of SQLite is never null, even without a constraint.
    let required = text.contains("NOT NULL") || text.contains("PRIMARY KEY");
    format!("{name} required={required}")
}

/// Columns that are added to tables of earlier files.
fn added_columns(sql: &str) -> BTreeSet<String> {
    let statements = statements(sql).into_iter();
    let changed = statements.filter_map(|it| it.strip_prefix("ALTER TABLE ").map(str::to_owned));
    // Only PostgreSQL enforces foreign keys, so only there is one changed apart from its table.
    let is_foreign_key = |rest: &String| {
        rest.contains(" DROP CONSTRAINT ") && rest.ends_with("_fkey")
            || rest.contains(" ADD CONSTRAINT ") && rest.contains(" FOREIGN KEY ")
    };
    changed
        .filter(|rest| !is_foreign_key(rest))
        .map(|rest| {
            let (table, added) = rest.split_once(" ADD COLUMN ").expect("columns are added, nothing else");
            format!("{table}.{}", column(added))
        })
        .collect()
}

/// Indexes with their tables and columns.
fn indexes(sql: &str) -> BTreeSet<String> {
    statements(sql).into_iter().filter(|statement| statement.contains(" INDEX ")).collect()
}

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert!(!sqlite.is_empty());
    assert_eq!(Vec::from_iter(sqlite.keys()), Vec::from_iter(postgres.keys()), "the same files");
    for (file, sql) in &sqlite {
        let twin = &postgres[file];
        let (ours, theirs) = (tables(sql), tables(twin));
        let added = added_columns(sql);
        let is_understood = !(ours.is_empty() && added.is_empty() && indexes(sql).is_empty());
        assert!(is_understood, "{file}: no table, no column and no index was understood");
        assert_eq!(added, added_columns(twin), "{file}: the same added columns");
        assert_eq!(Vec::from_iter(ours.keys()), Vec::from_iter(theirs.keys()), "{file}: the same tables");
        for (table, columns) in &ours {
            assert_eq!(columns, &theirs[table], "{file}: the same columns of {table}");
        }
        assert_eq!(indexes(sql), indexes(twin), "{file}: the same indexes");
    }
}

#[test]
fn no_database_has_a_full_text_index() {
    for database in ["sqlite", "postgres"] {
        for (file, sql) in migrations(database) {
            let sql = sql.to_lowercase();
            for word in ["fts", "tsvector", "tsquery", "to_ts", "pg_trgm", "using gin"] {
                assert!(!sql.contains(word), "{database}/{file} has {word}");
            }
        }
    }
}

#[test]
fn differing_columns_are_detected() {
    let sql = "CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT, UNIQUE (x, y)); -- CREATE TABLE b (z TEXT);";
    let expected = ["UNIQUE (x, y)", "x required=true", "y required=false"].map(str::to_owned);
    assert_eq!(tables(sql), BTreeMap::from([("a".to_owned(), BTreeSet::from(expected))]));
    let sql = "ALTER TABLE a ADD COLUMN x TEXT; ALTER TABLE a ADD COLUMN y BIGINT NOT NULL DEFAULT 0;";
    let expected = ["a.x required=false", "a.y required=true"].map(str::to_owned);
    assert_eq!(added_columns(sql), BTreeSet::from(expected));
    let sql = "ALTER TABLE a DROP CONSTRAINT a_x_fkey;
               ALTER TABLE a ADD CONSTRAINT a_x_fkey FOREIGN KEY (x) REFERENCES b (x);";
    assert_eq!(added_columns(sql), BTreeSet::new(), "no columns");
}
