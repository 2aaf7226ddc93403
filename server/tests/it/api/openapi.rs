//! The committed OpenAPI document is what the server serves, and it is complete.

use std::collections::BTreeSet;
use std::io::Read;

use super::support::TestServer;
use memory_core::recall::signals::SignalName;
use serde_json::Value;

const COMMITTED: &str = include_str!("../../../openapi.json");

#[test]
fn the_committed_document_is_up_to_date() {
    assert!(
        engrain_server::openapi::document_text() == COMMITTED,
        "the API has changed: run `make openapi` and look at the diff"
    );
}

#[test]
fn every_signal_that_a_recall_explains_is_in_the_document() {
    let document: Value = serde_json::from_str(&engrain_server::openapi::document_text()).expect("JSON");
    let name = &document["components"]["schemas"]["Signal"]["properties"]["name"]["description"];
    for signal in SignalName::ALL {
        let quoted = format!("`{}`", signal.as_str());
        assert!(name.as_str().is_some_and(|text| text.contains(&quoted)), "{quoted}: {name}");
    }
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("an item");
        item.iter().map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    operations.collect()
}

/// Every operation of the API.
const OPERATIONS: [&str; 64] = [
    "POST /v1/turns",
    "POST /v1/memories",
    "POST /v1/memories/list",
    "POST /v1/memories/delete",
    "GET /v1/memories/{id}",
    "PATCH /v1/memories/{id}",
    "DELETE /v1/memories/{id}",
    "GET /v1/memories/{id}/history",
    "GET /v1/memories/{id}/provenance",
    "GET /v1/memories/{id}/neighbours",
    "GET /v1/graph/path",
    "GET /v1/graph/clusters",
    "GET /v1/graph/export",
    "POST /v1/recall",
    "POST /v1/recall/why-not",
    "GET /v1/recalls/{id}",
    "POST /v1/recalls/{id}/feedback",
    "GET /v1/fading",
    "GET /v1/memories/{id}/retention",
    "POST /v1/grants",
    "GET /v1/grants",
    "GET /v1/grants/{id}",
    "DELETE /v1/grants/{id}",
    "GET /v1/grants/{id}/events",
    "GET /v1/sessions",
    "GET /v1/sessions/{id}/turns",
    "GET /v1/sessions/{key}/working-memory",
    "POST /v1/sessions/{key}/close",
    "GET /v1/owners",
    "POST /v1/owners/delete",
    "GET /v1/jobs",
    "GET /v1/jobs/{id}",
    "POST /v1/jobs/{id}/cancel",
    "POST /v1/jobs/{id}/undo",
    "POST /v1/memories/{id}/undo",
    "GET /v1/profile",
    "GET /v1/digests",
    "GET /v1/thinking",
    "PUT /v1/thinking",
    "GET /v1/timezone",
    "PUT /v1/timezone",
    "GET /v1/forgetting",
    "GET /v1/forgetting/policy",
    "PUT /v1/forgetting/policy",
    "POST /v1/forgetting/sweep",
    "POST /v1/forgetting/preview",
    "POST /v1/forgetting/restore",
    "PUT /v1/memories/{id}/pin",
    "POST /v1/facts/preview",
    "POST /v1/notes/recall",
    "POST /v1/thoughts/recall",
    "POST /v1/audit",
    "GET /v1/export",
    "POST /v1/import",
    "POST /v1/admin/reindex",
    "POST /v1/admin/check",
    "GET /v1/admin/purge",
    "POST /v1/admin/backup",
    "GET /v1/admin/backup/{id}",
    "POST /v1/admin/backup/{id}/file",
    "GET /health",
    "GET /ready",
    "GET /version",
    "GET /metrics",
];

#[test]
fn every_operation_is_documented() {
    let document: Value = serde_json::from_str(COMMITTED).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    let found: BTreeSet<&str> = operations.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(found, BTreeSet::from(OPERATIONS));
    for (name, operation) in &operations {
        for field in ["summary", "description", "operationId"] {
            assert!(operation[field].as_str().is_some_and(|text| !text.is_empty()), "{name}: {field}");
        }
        let answers = operation["responses"].as_object().expect("answers");
        let good = answers.iter().filter(|(status, _)| status.starts_with('2'));
        let contents = good.flat_map(|(_, answer)| answer["content"].as_object().into_iter().flatten());
        let has_example = contents.filter(|(_, content)| !content["example"].is_null()).count() > 0;
        assert!(has_example, "{name}: no good answer has an example");
        assert!(answers.contains_key("500"), "{name}: no problems");
        if let Some(body) = operation["requestBody"]["content"]["application/json"].as_object() {
            assert!(!body["example"].is_null(), "{name}: the body has no example");
            assert!(answers.contains_key("422") && answers.contains_key("413"), "{name}");
        }
    }
}

#[test]
fn every_reference_resolves() {
    let document: Value = serde_json::from_str(COMMITTED).expect("JSON");
    let mut left = vec![&document];
    let mut references = 0;
    while let Some(value) = left.pop() {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
                    references += 1;
                }
                left.extend(object.values());
            }
            Value::Array(values) => left.extend(values),
            _ => {}
        }
    }
    assert!(references > 50, "only {references} references");
}

/// The examples are what a reader copies: the server must take them.
#[tokio::test]
async fn the_examples_are_valid_requests() {
    let document: Value = serde_json::from_str(COMMITTED).expect("JSON");
    let server = TestServer::starting(&[]);
    for (name, operation) in operations(&document) {
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        if example.is_null() {
            continue;
        }
        let (method, path) = name.split_once(' ').expect("a name");
        let path = path.replace("{id}", "01890a5d-ac96-774b-bcce-b30209900003");
        let method = method.parse().expect("a method");
        let answer = server.json(method, &path, example.to_string()).await;
        assert_eq!(answer.problem().1, "starting", "{name}");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let server = TestServer::starting(&[]);
    let served = server.get("/openapi.json").await;
    let committed: Value = serde_json::from_str(COMMITTED).expect("JSON");
    assert!(served.json() == committed, "what is served is not what is committed");
    let page = server.get("/docs/").await;
    assert_eq!(page.headers["content-encoding"], "gzip");
    let mut html = String::new();
    flate2::read::GzDecoder::new(&page.body[..]).read_to_string(&mut html).expect("packed text");
    assert!(page.status.is_success() && html.contains("swagger-ui"), "{}: {html:.200}", page.status);
    assert!(!html.contains("https://"), "the page loads something from elsewhere: {html}");
}
