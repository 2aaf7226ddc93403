//! `engrain models` as a user meets it: processes with a cache and a hub of their own.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use crate::fake_hub::{self, FakeHub};
use serde_json::Value;

const BGE: &str = "Xenova/bge-small-en-v1.5";

fn engrain(cache: &Path, hub: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_engrain"))
        .args(arguments)
        .arg("--data-dir")
        .arg(cache.join("data"))
        .env("ENGRAIN_CACHE", cache)
        .env("HF_ENDPOINT", hub)
        .env_remove("HF_TOKEN")
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn complaint(output: &Output, status: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{text}");
    text
}

fn state_of(list: &Value, name: &str) -> String {
    let models = list["models"].as_array().unwrap();
    let found = models.iter().find(|model| model["name"] == name).unwrap();
    found["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_model_is_fetched_by_name_listed_and_used() {
    let cache = tempfile::tempdir().unwrap();
    let runtime = std::fs::canonicalize(fake_hub::cache().join("runtime")).unwrap();
    std::os::unix::fs::symlink(runtime, cache.path().join("runtime")).unwrap();
    let hub = FakeHub::with_cached(BGE, "bge-small-en-v1.5");
    let run = |arguments: &[&str]| engrain(cache.path(), &hub.url, arguments);

    let serve = ["serve", "--listen", "127.0.0.1:0", "--embedder", BGE];
    let refused = complaint(&run(&serve), 1);
    assert!(refused.contains("`engrain models fetch Xenova/bge-small-en-v1.5`"), "{refused}");
    assert!(hub.state().seen.is_empty(), "a server downloads nothing");

    let list = json(&run(&["models", "list", "--json"]));
    assert_eq!(state_of(&list, BGE), "not_here");
    assert_eq!(state_of(&list, "bge-small-en-v1.5"), "not_here");
    let told = json(&run(&["models", "fetch", BGE, "--json"]));
    assert_eq!((&told["models"][0]["fetched"], &told["models"][0]["name"]), (&true.into(), &BGE.into()));
    assert_eq!(json(&run(&["models", "fetch", BGE, "--json"]))["models"][0]["fetched"], false);
    assert_eq!(state_of(&json(&run(&["models", "list", "--json"])), BGE), "here");
    let text = String::from_utf8(run(&["models", "list"]).stdout).unwrap();
    assert!(text.contains(&format!("here      embed    384  {BGE}")), "{text}");

    // A command that needs a server becomes one, with the embedder that the environment names.
    let mut remember = Command::new(env!("CARGO_BIN_EXE_engrain"));
    let remember = remember
        .args(["remember", "--user", "ann", "My dog is called Biscuit", "--data-dir"])
        .arg(cache.path().join("data"))
        .env("ENGRAIN_CACHE", cache.path())
        .env("ENGRAIN_MODEL__EMBEDDER", BGE);
    assert!(remember.output().unwrap().status.success());
    let recalled = run(&["recall", "--user", "ann", "Which pet is there?", "--json"]);
    assert_eq!(
        json(&recalled)["memories"][0]["text"],
        "My dog is called Biscuit",
        "`auto` knows the name again"
    );
}

#[test]
fn the_exit_status_tells_why_a_fetch_failed() {
    let cache = tempfile::tempdir().unwrap();
    let hub = FakeHub::start("a/b", []);
    let run = |arguments: &[&str]| engrain(cache.path(), &hub.url, arguments);
    let unknown = complaint(&run(&["models", "fetch", "multilingual-e5-small"]), 4);
    assert!(unknown.contains("did you mean intfloat/multilingual-e5-small"), "{unknown}");
    complaint(&run(&["models", "fetch", "../x"]), 4);
    complaint(&run(&["models", "fetch", "bge-small-en-v1.5"]), 2);
    let gone = complaint(&run(&["models", "fetch", BGE]), 1);
    assert!(gone.contains("answered 404"), "{gone}");
    hub.state().refuses = Some(401);
    assert!(complaint(&run(&["models", "fetch", BGE]), 1).contains("HF_TOKEN"));
    complaint(&engrain(cache.path(), "ftp://x", &["models", "fetch", BGE]), 2);
    let nobody = complaint(&engrain(cache.path(), "http://127.0.0.1:9", &["models", "fetch", BGE]), 3);
    assert!(nobody.contains("HTTPS_PROXY"), "{nobody}");
    assert!(!cache.path().join("models").exists());
}
