//! `engrain import` as a real process: what is skipped, left out and counted, and how it ends.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::commands::{engrain, said};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A store, and a folder for files beside it.
struct Place {
    store: TempDir,
    files: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { store: tempfile::tempdir().unwrap(), files: tempfile::tempdir().unwrap() }
    }

    /// Writes a file; returns its path.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).to_str().unwrap().to_owned()
    }

    /// Exit status and all output of a command.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(&engrain(self.store.path(), arguments))
    }

    /// Imports for the user `ann`: exit status, report, and messages.
    fn import(&self, arguments: &[&str]) -> (Option<i32>, Value, String) {
        let all = [&["import", "--json", "--user", "ann"], arguments].concat();
        let output = engrain(self.store.path(), &all);
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code(), report, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Content of the store of `ann`.
    fn listed(&self) -> String {
        self.run(&["list", "--user", "ann"]).1
    }
}

fn line(text: &str) -> String {
    json!({"role": "user", "content": text, "session": "s"}).to_string()
}

fn odd_lines() -> String {
    [
        &line("first tea"),
        "{\"role\": \"us",
        &line("then coffee"),
        r#"{"role": "wizard", "content": "x", "session": "s"}"#,
    ]
    .join("\n")
}

/// A ChatGPT conversation with a call of a tool.
fn chatgpt() -> String {
    let node = |parent: Value, role: &str, recipient: &str, text: &str| {
        json!({"parent": parent, "message": {"author": {"role": role}, "recipient": recipient,
            "content": {"content_type": "text", "parts": [text]}}})
    };
    json!([{"id": "c", "title": "t", "create_time": 1_700_000_000, "current_node": "3", "mapping": {
        "1": node(Value::Null, "user", "all", "compute it"),
        "2": node(json!("1"), "assistant", "python", "print(1)"),
        "3": node(json!("2"), "assistant", "all", "it is one"),
    }}])
    .to_string()
}

fn zip(path: &Path, members: &[(&str, &str)]) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, text) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

/// Chosen fields of a report.
fn counts(report: &Value, names: &[&str]) -> Vec<u64> {
    let count = |name: &&str| report.pointer(&format!("/{name}")).and_then(Value::as_u64);
    names.iter().map(|name| count(name).unwrap_or_else(|| panic!("{name} in {report}"))).collect()
}

#[test]
fn skipped_records_are_counted_and_reported_and_the_exit_status_is_5() {
    let place = Place::new();
    let (file, report) = (place.file("a.jsonl", odd_lines()), place.path("skipped.jsonl"));
    let (status, counted, told) = place.import(&[&file, "--report", &report]);
    assert_eq!(status, Some(5), "{told}");
    assert_eq!(counts(&counted, &["turns", "added", "existing", "skipped"]), [2, 2, 0, 2]);
    assert!(told.contains("2 records were skipped"), "{told}");
    let lines: Vec<Value> = std::fs::read_to_string(&report)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("file"), [json!(file), json!(file)]);
    assert_eq!((of("record"), of("line")), (vec![json!(2), json!(4)], vec![json!(2), json!(4)]));
    assert_eq!((of("part"), of("count")), (vec![json!(""), json!("role")], vec![json!(1), json!(1)]));
    assert_eq!(lines[1]["reason"], "\"wizard\" is not a role");
    assert_eq!(counted["skipped_first"], json!(lines));
    let fields: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(fields.len(), 6, "{fields:?}");

    // The same again, with the odd lines mended: the others keep their positions.
    let mended = [line("first tea"), line("mended"), line("then coffee"), line("last")].join("\n");
    place.file("a.jsonl", mended);
    let (status, counted, told) = place.import(&[&file]);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(counts(&counted, &["turns", "added", "existing", "skipped"]), [4, 2, 2, 0]);
}

#[test]
fn a_strict_import_stops_at_the_first_fault_with_status_1() {
    let place = Place::new();
    let file = place.file("a.jsonl", odd_lines());
    let (status, report, told) = place.import(&[&file, "--strict"]);
    assert_eq!((status, report), (Some(1), Value::Null), "{told}");
    assert!(told.contains("a.jsonl, record 2 (line 2)"), "{told}");
    let listed = place.listed();
    assert!(listed.contains("first tea") && !listed.contains("then coffee"), "{listed}");
}

#[test]
fn the_archive_of_an_export_is_imported_as_it_is() {
    let place = Place::new();
    let archive = place.files.path().join("export.zip");
    let conversations = chatgpt();
    zip(
        &archive,
        &[
            ("chat.html", "<html>"),
            ("conversations.json", &conversations),
            ("message_feedback.json", "[]"),
            ("user.json", r#"{"id": 1}"#),
        ],
    );
    let (status, report, told) = place.import(&[archive.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(counts(&report, &["turns", "skipped", "left_out/other_files"]), [2, 0, 3]);
    let (status, report, told) = place.import(&[archive.to_str().unwrap()]);
    assert_eq!((status, counts(&report, &["added", "existing"])), (Some(0), vec![0, 2]), "{told}");
}

#[test]
fn a_folder_is_imported_and_its_foreign_files_are_named_or_left_out() {
    let place = Place::new();
    place.file("a.json", line("first tea"));
    place.file("package.json", r#"{"name": "a package"}"#);
    place.file("picture.png", "x");
    std::fs::create_dir(place.files.path().join("more")).unwrap();
    place.file("more/b.jsonl", line("then coffee"));
    let folder = place.files.path().to_str().unwrap().to_owned();
    let (status, report, told) = place.import(&[&folder]);
    assert_eq!(status, Some(5), "{told}");
    assert_eq!(counts(&report, &["turns", "skipped", "left_out/other_files"]), [2, 1, 1]);
    assert!(told.contains("package.json") && told.contains("unknown format"), "{told}");
}

#[test]
fn named_files_are_all_tried_and_foreign_ones_are_skipped() {
    let place = Place::new();
    let foreign = place.file("0.json", r#"{"name": "a package"}"#);
    let (one, other) = (place.file("a.json", line("first tea")), place.file("b.json", line("then coffee")));
    let missing = place.path("none.json");
    let (status, report, told) = place.import(&[&foreign, &one, &missing, &other]);
    assert_eq!(status, Some(5), "{told}");
    assert_eq!(counts(&report, &["turns", "skipped"]), [2, 2]);
    assert!(told.contains("0.json") && told.contains("none.json"), "{told}");
    let (status, _, told) = place.import(&[&foreign, &missing]);
    assert!(status == Some(1) && told.contains("no file could be imported"), "{told}");
}

#[test]
fn an_own_export_does_not_bring_back_what_was_erased_unless_it_is_asked_to() {
    let place = Place::new();
    let file = place.file("a.jsonl", [line("first tea"), line("then coffee"), line("last water")].join("\n"));
    assert_eq!(place.import(&[&file]).0, Some(0));
    let export = place.path("export.jsonl");
    assert_eq!(place.run(&["export", "--user", "ann", "-o", &export]).0, Some(0));
    let all: Vec<Value> = std::fs::read_to_string(&export)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let erased = all.iter().find(|line| line["turn"]["text"] == "then coffee").unwrap();
    let (status, told) = place.run(&["delete", erased["memory"]["id"].as_str().unwrap(), "-y"]);
    assert_eq!(status, Some(0), "{told}");

    let (status, report, told) = place.import(&[&export]);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(counts(&report, &["turns", "added", "existing", "erased", "skipped"]), [2, 0, 2, 1, 0]);
    assert!(!place.listed().contains("then coffee"));
    let (status, told) = place.run(&["import", &export]);
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("0 added, 2 already there"), "{told}");
    assert!(told.contains("1 left out because they were erased; --again adds them"), "{told}");

    let (status, report, told) = place.import(&[&export, "--again"]);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(counts(&report, &["turns", "added", "existing", "erased"]), [3, 1, 2, 0]);
    assert!(place.listed().contains("then coffee"));
    let (_, report, _) = place.import(&[&export, "--again"]);
    assert_eq!(counts(&report, &["added", "existing"]), [0, 3], "what is there is never added twice");
}

#[test]
fn ids_of_the_command_line_fill_those_that_a_record_lacks() {
    let place = Place::new();
    let lines = [
        json!({"role": "user", "content": "of both", "agent_id": "chef"}),
        json!({"role": "user", "content": "of another", "user_id": "tom", "agent_id": null}),
    ];
    let file = place.file("a.jsonl", lines.map(|line| line.to_string()).join("\n"));
    let (status, _, told) = place.import(&[&file, "--app", "web"]);
    assert_eq!(status, Some(0), "{told}");
    let export = |user: &str| {
        let (_, told) = place.run(&["export", "--user", user]);
        let lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["record"] == "turn").map(|line| line["memory"].clone()).collect::<Vec<_>>()
    };
    let (ann, tom) = (export("ann"), export("tom"));
    assert_eq!((ann.len(), tom.len()), (1, 1));
    assert_eq!(
        (&ann[0]["text"], &ann[0]["agent_id"], &ann[0]["app_id"]),
        (&json!("of both"), &json!("chef"), &json!("web"))
    );
    assert_eq!((&tom[0]["text"], &tom[0]["app_id"]), (&json!("of another"), &json!("web")));
}

#[test]
fn tool_traffic_is_left_out_unless_it_is_asked_for() {
    let place = Place::new();
    let file = place.file("conversations.json", chatgpt());
    let (status, report, told) = place.import(&[&file]);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(counts(&report, &["turns", "skipped", "left_out/tool_messages"]), [2, 0, 1]);
    assert!(!place.listed().contains("print(1)"));
    let (_, told) = place.run(&["import", "--user", "ann", &file]);
    assert!(told.contains("1 messages of tools were left out; --tool-messages imports them"), "{told}");
    let (status, report, told) = place.import(&[&file, "--tool-messages"]);
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(counts(&report, &["added", "existing", "left_out/tool_messages"]), [1, 2, 0]);
    assert!(place.listed().contains("print(1)"));
}

fn report_lines(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_changed_record_with_a_known_key_is_named_and_the_exit_status_is_5() {
    let turn = |text: &str| json!({"role": "user", "content": text, "session": "s", "id": "k"}).to_string();
    let chatgpt = |text: &str| {
        json!([{"id": "c", "mapping": {"1": {"message": {"id": "k", "author": {"role": "user"},
            "create_time": 1_700_000_000, "content": {"parts": [text]}}}}}])
        .to_string()
    };
    let memory = |text: &str| json!([{"id": "k", "memory": text}]).to_string();
    for file in [&memory as &dyn Fn(&str) -> String, &turn, &chatgpt] {
        let place = Place::new();
        let (path, report) = (place.file("a.json", file("lives in Rome")), place.path("report.txt"));
        assert_eq!(place.import(&[&path]).0, Some(0));
        place.file("a.json", file("lives in Oslo"));
        let (status, counted, told) = place.import(&[&path, "--report", &report]);
        assert_eq!(status, Some(5), "{told}");
        assert_eq!(counts(&counted, &["conflicting", "skipped"]), [1, 1]);
        let lines = report_lines(&report);
        assert_eq!((lines.len(), &lines[0]["record"]), (1, &json!(1)));
        assert!(lines[0]["reason"].as_str().unwrap().contains("under its key `k`"), "{lines:?}");
        let (status, _, told) = place.import(&[&path, "--strict"]);
        assert!(status == Some(1) && told.contains("under its key `k`"), "{told}");
        assert!(place.listed().contains("Rome") && !place.listed().contains("Oslo"));
    }
}

#[test]
fn two_memories_of_one_file_with_one_id_are_not_one_silently() {
    let place = Place::new();
    let file =
        place.file("a.json", json!([{"id": 1, "memory": "tea"}, {"id": 1, "memory": "coffee"}]).to_string());
    let (status, counted, told) = place.import(&[&file]);
    assert_eq!(
        (status, counts(&counted, &["added", "conflicting", "skipped"])),
        (Some(5), vec![1, 1, 1]),
        "{told}"
    );
}

#[test]
fn a_report_never_overwrites_what_is_imported() {
    let place = Place::new();
    let content = odd_lines();
    let file = place.file("a.jsonl", &content);
    let (link, folder) = (place.path("link"), place.files.path().to_str().unwrap().to_owned());
    std::fs::hard_link(&file, &link).unwrap();
    let new = place.path("new.jsonl");
    let roundabout = place.path("../".to_owned().as_str());
    let roundabout =
        format!("{roundabout}{}/a.jsonl", place.files.path().file_name().unwrap().to_str().unwrap());
    for (input, report) in
        [(&file, &file), (&file, &link), (&file, &roundabout), (&folder, &file), (&folder, &new)]
    {
        let (status, _, told) = place.import(&[input, "--report", report]);
        assert!(status == Some(2) && told.contains("--report"), "{input} {report}: {told}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
    }
    assert!(!Path::new(&new).exists());
    let report = place.path("report.txt");
    assert_eq!(place.import(&[&folder, "--report", &report]).0, Some(5), "a name that is not read");
}

#[test]
fn own_exports_one_after_another_are_imported_as_all_of_them() {
    let place = Place::new();
    let mut all = String::new();
    for user in ["bob", "tom"] {
        let file =
            place.file("a.jsonl", json!({"role": "user", "content": user, "user_id": user}).to_string());
        assert_eq!(place.import(&[&file]).0, Some(0));
        let export = place.path("export.jsonl");
        assert_eq!(place.run(&["export", "--user", user, "-o", &export]).0, Some(0));
        all.push_str(&std::fs::read_to_string(&export).unwrap());
    }
    let other = Place::new();
    let file = other.file("all.jsonl", all);
    let (status, counted, told) = other.import(&[&file]);
    assert_eq!((status, counts(&counted, &["added", "skipped"])), (Some(0), vec![2, 0]), "{told}");
    assert!(other.run(&["list", "--user", "tom"]).1.contains("tom"));
}

#[test]
fn the_rest_of_a_file_that_cannot_be_read_is_no_single_record() {
    let place = Place::new();
    let file = place.file("a.json", format!("[{}, {{\"role\": [[[", line("first tea")));
    let (status, counted, told) = place.import(&[&file]);
    assert_eq!((status, counts(&counted, &["added"])), (Some(5), vec![1]), "{told}");
    assert!(
        told.contains("the rest of a file could not be read") && !told.contains("1 record was"),
        "{told}"
    );
}
