//! Hostile and damaged ZIP archives and gzip files: each fault is named, and costs no more than the file it is of.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use engrain::formats::{FormatError, Inputs, Skipped, inputs};
use flate2::write::GzEncoder;
use serde_json::json;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

use super::{options, turns};

fn line(text: &str) -> Vec<u8> {
    json!({"role": "user", "content": text}).to_string().into_bytes()
}

fn archive(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn saved(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.zip");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Positions at which these bytes begin.
fn all(bytes: &[u8], part: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|&at| bytes[at..].starts_with(part)).collect()
}

/// Texts of the turns, and faults, of all inputs.
fn outcome(found: &Inputs) -> (Vec<String>, Vec<String>) {
    let (mut texts, mut faults) = (Vec::new(), Vec::new());
    faults.extend(found.skipped.iter().map(|error| Skipped::from(error).to_string()));
    for input in &found.found {
        let mut take = |item: Result<engrain::formats::ImportItem, FormatError>| match item {
            Ok(item) => texts.extend(turns(&item).turns.iter().map(|turn| turn.text.clone())),
            Err(error) => faults.push(Skipped::from(&error).to_string()),
        };
        match input.open(&options()) {
            Ok(items) => items.for_each(take),
            Err(error) => take(Err(error)),
        }
    }
    (texts, faults)
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

#[test]
fn a_small_member_that_expands_without_end_is_not_read_to_its_end() {
    let mut bomb = [&line("one")[..], b"\n{\"role\": \"user\", \"content\": \""].concat();
    bomb.resize(66 << 20, b'a');
    let members = [("a.json", &bomb[..]), ("b.json", &line("two")[..])];
    let bytes = archive(&members, zip::CompressionMethod::Deflated);
    assert!(bytes.len() < bomb.len() / 200);
    let (_folder, path) = saved(&bytes);
    let (texts, faults) = outcome(&inputs(&path).unwrap());
    assert_eq!(texts, ["one", "two"], "what comes before it and the other members are read");
    assert!(
        faults.len() == 1 && faults[0].contains("a.json") && faults[0].contains("200 times"),
        "{faults:?}"
    );
}

#[test]
fn members_that_share_their_bytes_are_refused() {
    let text = line(&"a".repeat(3_000));
    let bytes = archive(&[("a.json", &text)], zip::CompressionMethod::Stored);
    let (central, end) = (all(&bytes, CENTRAL)[0], all(&bytes, END)[0]);
    let mut entry = bytes[central..end].to_vec();
    let name = all(&entry, b"a.json")[0];
    entry[name] = b'b';
    let mut shared = [&bytes[..end], &entry, &bytes[end..]].concat();
    let end = end + entry.len();
    let size = u32::try_from(2 * entry.len()).unwrap();
    shared[end + 8..end + 12].copy_from_slice(&[2, 0, 2, 0]);
    shared[end + 12..end + 16].copy_from_slice(&size.to_le_bytes());
    let (_folder, path) = saved(&shared);
    let error = inputs(&path).unwrap_err();
    assert!(
        matches!(&error, FormatError::Archive { .. }) && error.to_string().contains("overlap"),
        "{error}"
    );
}

#[test]
fn an_encrypted_member_is_named_and_the_others_are_read() {
    let members = [("a.json", &line("secret")[..]), ("b.json", &line("plain")[..])];
    let mut bytes = archive(&members, zip::CompressionMethod::Deflated);
    let (local, central) = (all(&bytes, LOCAL)[0], all(&bytes, CENTRAL)[0]);
    bytes[local + 6] |= 1;
    bytes[central + 8] |= 1;
    let (_folder, path) = saved(&bytes);
    let (texts, faults) = outcome(&inputs(&path).unwrap());
    assert_eq!(texts, ["plain"]);
    assert!(faults.len() == 1 && faults[0].contains("a.json: it is encrypted"), "{faults:?}");
}

#[test]
fn a_member_with_a_wrong_checksum_is_named() {
    let members = [("a.json", &line("tea with milk")[..]), ("b.json", &line("plain")[..])];
    let mut bytes = archive(&members, zip::CompressionMethod::Stored);
    let at = all(&bytes, b"milk")[0];
    bytes[at] = b's';
    let (_folder, path) = saved(&bytes);
    let (texts, faults) = outcome(&inputs(&path).unwrap());
    assert_eq!(texts.last().map(String::as_str), Some("plain"));
    assert!(faults.len() == 1 && faults[0].contains("checksum is wrong"), "{faults:?}");
}

#[test]
fn a_gzip_member_of_an_archive_is_read() {
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&line("one")).unwrap();
    let packed = packed.finish().unwrap();
    let (_folder, path) = saved(&archive(&[("a.jsonl.gz", &packed)], zip::CompressionMethod::Deflated));
    assert_eq!(outcome(&inputs(&path).unwrap()), (vec!["one".to_owned()], Vec::new()));
}
