//! The graph of memories over HTTP: neighbours, paths, clusters and exports, and who sees what.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

use super::support::TestServer;

/// Adds facts of an owner; returns their ids.
async fn add(server: &TestServer, user: &str, memories: Value) -> Vec<String> {
    let body = json!({"scope": {"user_id": user}, "memories": memories});
    let answer = server.post("/v1/memories", &body).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    let ids = answer.json()["memory_ids"].as_array().expect("ids").clone();
    ids.iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}

fn link(to: &str, relation: &str, weight: f32) -> Value {
    json!({"to": to, "relation": relation, "weight": weight, "reason": format!("a <{relation}> & \"more\"")})
}

/// Memories of Mara: the garden, its roses, what they need, and a derived one.
async fn garden(server: &TestServer) -> Vec<String> {
    let garden = add(server, "mara", json!([{"text": "The garden is large."}])).await;
    let roses =
        json!({"text": "Roses grow \u{1}<there>.\r\n", "links": [link(&garden[0], "elaborates", 0.5)]});
    let roses = add(server, "mara", json!([roses])).await;
    let water = json!({"text": "They need water.", "links": [link(&roses[0], "supports", 1.0)]});
    let derived = json!({"text": "Mara likes roses.", "sources": [&roses[0]]});
    let more = add(server, "mara", json!([water, derived])).await;
    [garden, roses, more].concat()
}

#[tokio::test]
async fn neighbours_come_with_their_edge_their_weight_and_their_text() {
    let server = TestServer::working().await;
    let ids = garden(&server).await;
    let path = format!("/v1/memories/{}/neighbours", ids[1]);
    let near = server.get(&path).await.json();
    let found: Vec<&str> = near["neighbours"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["memory"]["id"].as_str())
        .collect();
    assert_eq!(found, [&ids[2], &ids[3], &ids[0]], "{near}");
    let garden = &near["neighbours"][2];
    assert_eq!(
        garden["edge"],
        json!({
            "source": ids[1], "target": ids[0], "type": "link", "relation": "elaborates", "weight": 0.5,
            "reason": "a <elaborates> & \"more\""
        })
    );
    assert_eq!((&garden["hops"], &garden["weight"]), (&json!(1), &json!(0.5)));
    assert_eq!(near["neighbours"][1]["edge"]["type"], "evidence", "{near}");
    assert!(garden["memory"].get("text").is_none(), "texts are not asked for");

    let out = server.get(&format!("{path}?direction=out&texts=true")).await.json();
    assert_eq!(out["neighbours"][0]["memory"]["text"], "The garden is large.");
    assert_eq!(out["total"], 1);
    let one = server.get(&format!("{path}?relation=supports&limit=1")).await.json();
    assert_eq!((&one["total"], &one["neighbours"][0]["memory"]["id"]), (&json!(1), &json!(ids[2])));
    let far = server.get(&format!("/v1/memories/{}/neighbours?hops=2", ids[0])).await.json();
    assert_eq!(far["total"], 3, "{far}");
}

#[tokio::test]
async fn a_path_leads_from_one_memory_to_another_or_is_empty() {
    let server = TestServer::working().await;
    let ids = garden(&server).await;
    let server = &server;
    let path = |query: String| async move { server.get(&format!("/v1/graph/path?{query}")).await };
    let found = path(format!("from={}&to={}&texts=true", ids[0], ids[2])).await.json();
    let memories: Vec<&Value> =
        found["memories"].as_array().expect("a list").iter().map(|it| &it["id"]).collect();
    assert_eq!(memories, [&ids[0], &ids[1], &ids[2]]);
    assert_eq!(found["memories"][2]["text"], "They need water.");
    assert_eq!(found["edges"][1]["relation"], "supports");
    let weight = found["weight"].as_f64().expect("a number");
    assert!((weight - 1.0 / 3.0).abs() < 1e-6, "{weight}");

    let alone = add(server, "mara", json!([{"text": "Alone."}])).await;
    let none = path(format!("from={}&to={}", ids[0], alone[0])).await.json();
    assert_eq!(none, json!({"memories": [], "edges": [], "weight": 0.0, "complete": true}));
    let near = path(format!("from={}&to={}&max_hops=1", ids[0], ids[2])).await.json();
    assert_eq!(near["memories"], json!([]));
}

#[tokio::test]
async fn what_may_not_be_seen_is_in_no_answer() {
    let server = TestServer::working().await;
    let ids = garden(&server).await;
    let stranger = add(&server, "bob", json!([{"text": "Bob's."}])).await;
    let edited = json!({"audience": ["Eve"]}).to_string();
    let edited =
        server.json("PATCH".parse().expect("a method"), &format!("/v1/memories/{}", ids[1]), edited).await;
    assert_eq!(edited.status, 200);
    let near = server.get(&format!("/v1/memories/{}/neighbours?hops=3&partner=Tom", ids[0])).await.json();
    assert_eq!(near["neighbours"], json!([]), "no path leads through what Tom must not know");
    let near = server.get(&format!("/v1/memories/{}/neighbours?hops=3&partner=Eve", ids[0])).await.json();
    assert_eq!(near["total"], 3);
    let hidden = server.get(&format!("/v1/memories/{}/neighbours?partner=Tom", ids[1])).await;
    assert_eq!(hidden.problem().1, "not_found");
    for format in ["json", "graphml"] {
        let export = server.get(&format!("/v1/graph/export?user_id=mara&partner=Tom&format={format}")).await;
        let text = String::from_utf8(export.body).expect("UTF-8");
        assert!(!text.contains(&ids[1]) && text.contains(&ids[0]) && !text.contains(&stranger[0]), "{text}");
    }
    let erased =
        server.json("DELETE".parse().expect("a method"), &format!("/v1/memories/{}", ids[1]), "").await;
    assert_eq!(erased.status, 200);
    let export = server.get("/v1/graph/export?user_id=mara&texts=true").await.json();
    assert_eq!(export["nodes"].as_array().map(Vec::len), Some(2), "the derived one went, too: {export}");
    assert_eq!(export["edges"], json!([]));
}

#[tokio::test]
async fn clusters_are_listed_with_their_sizes() {
    let server = TestServer::working().await;
    let ids = garden(&server).await;
    add(&server, "mara", json!([{"text": "Alone."}])).await;
    let clusters = server.get("/v1/graph/clusters?user_id=mara").await.json();
    assert_eq!((&clusters["total"], &clusters["unclustered"]), (&json!(1), &json!(1)), "{clusters}");
    assert_eq!(clusters["clusters"][0]["size"], 4);
    assert_eq!(clusters["clusters"][0]["memories"][0], ids[1], "the one that is linked most comes first");
    let nobody = server.get("/v1/graph/clusters?user_id=nobody").await.json();
    assert_eq!(nobody, json!({"clusters": [], "total": 0, "unclustered": 0}));
}

#[tokio::test]
async fn an_export_as_json_is_one_document() {
    let server = TestServer::working().await;
    let ids = garden(&server).await;
    let export = server.get("/v1/graph/export?user_id=mara&texts=true").await;
    assert_eq!(export.headers["content-type"], "application/json");
    let document: engrain::wire::GraphDocument = serde_json::from_slice(&export.body).expect("a graph");
    let nodes: Vec<String> = document.nodes.iter().map(|node| node.id.to_string()).collect();
    assert_eq!(nodes, ids);
    assert_eq!(document.nodes[1].text.as_deref(), Some("Roses grow \u{1}<there>.\r\n"));
    assert_eq!(document.edges.len(), 3);
    let empty = server.get("/v1/graph/export?user_id=nobody").await.json();
    assert_eq!(empty, json!({"directed": true, "multigraph": true, "nodes": [], "edges": []}));
}

/// Elements of a document with their attributes and texts.
fn elements(xml: &str) -> Vec<(String, Vec<(String, String)>, String)> {
    let mut reader = Reader::from_str(xml);
    let mut elements: Vec<(String, Vec<(String, String)>, String)> = Vec::new();
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) | Event::Empty(start) => {
                let attributes = start.attributes().map(|attribute| {
                    let attribute = attribute.expect("an attribute");
                    let value = attribute.value.into_owned();
                    (attribute.key.as_ref().to_owned(), value)
                });
                let name = start.name().as_ref().to_owned();
                elements.push((name, attributes.collect(), String::new()));
            }
            Event::Text(text) => {
                if let Some(last) = elements.last_mut() {
                    last.2.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().expect("a reference").map(String::from);
                let named = quick_xml::escape::resolve_predefined_entity(&reference).map(str::to_owned);
                elements.last_mut().expect("an element").2.push_str(&character.or(named).expect("known"));
            }
            Event::Eof => return elements,
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_export_as_graphml_is_parsed_back() {
    let server = TestServer::working().await;
    let ids = garden(&server).await;
    let export = server.get("/v1/graph/export?user_id=mara&format=graphml&texts=true").await;
    assert_eq!(export.headers["content-type"], "application/graphml+xml");
    let elements = elements(&String::from_utf8(export.body).expect("UTF-8"));
    let of = |wanted: &str| elements.iter().filter(|(name, ..)| name == wanted).collect::<Vec<_>>();
    let nodes: Vec<&String> = of("node").iter().map(|(_, attributes, _)| &attributes[0].1).collect();
    assert_eq!(nodes, ids.iter().collect::<Vec<_>>());
    assert_eq!(of("edge").len(), 3);
    let data = |key: &str| {
        let of_key = of("data").into_iter().filter(|(_, attributes, _)| attributes[0].1 == key);
        of_key.map(|(_, _, text)| text.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(data("text")[1], "Roses grow \u{2401}<there>.\r\n", "a control character is shown");
    assert_eq!(data("kind"), ["fact"; 4]);
    let mut relations = data("relation");
    relations.sort_unstable();
    assert_eq!(relations, ["derived_from", "elaborates", "supports"]);
    assert_eq!(data("reason")[0], "a <elaborates> & \"more\"");
    let declared: Vec<&str> = of("key").iter().map(|(_, attributes, _)| attributes[0].1.as_str()).collect();
    assert_eq!(declared, ["kind", "text", "type", "relation", "weight", "reason"]);
}

#[tokio::test]
async fn bad_requests_are_refused_with_their_fields() {
    let server = TestServer::working().await;
    let ids = garden(&server).await;
    let bob = add(&server, "bob", json!([{"text": "Bob's."}])).await;
    let nobody = uuid::Uuid::nil();
    let cases = [
        (format!("/v1/memories/{}/neighbours?hops=4", ids[0]), 422, "over_limit", "hops"),
        (format!("/v1/memories/{}/neighbours?hops=0", ids[0]), 422, "invalid_request", "hops"),
        (format!("/v1/memories/{}/neighbours?limit=0", ids[0]), 422, "invalid_request", "limit"),
        (format!("/v1/memories/{}/neighbours?direction=up", ids[0]), 422, "wrong_type", "direction"),
        (format!("/v1/memories/{nobody}/neighbours"), 404, "not_found", ""),
        (format!("/v1/graph/path?from={}&to={}", ids[0], bob[0]), 422, "invalid_request", "to"),
        (format!("/v1/graph/path?from={}&to={}&max_hops=7", ids[0], ids[1]), 422, "over_limit", "max_hops"),
        (format!("/v1/graph/path?from={}", ids[0]), 422, "missing_field", "to"),
        ("/v1/graph/clusters".to_owned(), 422, "invalid_request", "scope"),
        ("/v1/graph/export".to_owned(), 422, "invalid_request", "scope"),
        ("/v1/graph/export?user_id=mara&format=dot".to_owned(), 422, "wrong_type", "format"),
    ];
    for (path, status, code, field) in cases {
        assert_eq!(server.get(&path).await.problem(), (status, code.to_owned(), field.to_owned()), "{path}");
    }
}
