//! Objects of requests: an array in the place of an object is refused by every operation, at every depth.

use axum::http::Method;
use serde_json::Value;

use super::support::TestServer;

/// Pointers to all objects of a document, but those in the application's own data.
fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.push(pointer.to_owned());
            for (name, inner) in object.iter().filter(|(name, _)| *name != "metadata") {
                objects(inner, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (index, inner) in values.iter().enumerate() {
                objects(inner, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn an_array_in_the_place_of_an_object_is_refused_everywhere() {
    let document: Value = serde_json::from_str(include_str!("../../../openapi.json")).expect("JSON");
    let server = TestServer::starting(&[]);
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            let mut pointers = Vec::new();
            objects(example, "", &mut pointers);
            for pointer in pointers {
                let mut body = example.clone();
                let place = body.pointer_mut(&pointer).expect("a pointer of this document");
                *place =
                    place.as_object().map(|object| object.values().cloned().collect()).expect("an object");
                let path = path.replace("{id}", "01890a5d-ac96-774b-bcce-b30209900003");
                let method: Method = method.to_uppercase().parse().expect("a method");
                let (status, code, _) = server.json(method, &path, body.to_string()).await.problem();
                assert_eq!((status, code.as_str()), (422, "wrong_type"), "{path} {pointer} {body}");
                tried += 1;
            }
        }
    }
    assert!(tried > 25, "only {tried} objects in the examples");
}
