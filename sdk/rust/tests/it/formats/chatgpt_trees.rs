//! ChatGPT conversations whose tree of messages is broken: the branch in view is mended, and what hangs on none is named.

use serde_json::{Map, Value, json};

use super::tolerant::{Outcome, import};

/// Message `m{number}` of a chain, at its second.
fn message(number: u32, parent: Value) -> Value {
    json!({"id": format!("m{number}"), "parent": parent, "message": {
        "id": format!("m{number}"), "author": {"role": "user"}, "create_time": 1_700_000_000 + number,
        "content": {"parts": [format!("m{number}")]}}})
}

/// Chain of messages `m0` to `m5`, changed, read with the last in view.
fn chain(change: impl FnOnce(&mut Map<String, Value>)) -> Outcome {
    let parent =
        |number: u32| number.checked_sub(1).map_or(Value::Null, |parent| json!(format!("m{parent}")));
    let mut mapping: Map<String, Value> =
        (0..6).map(|number| (format!("m{number}"), message(number, parent(number)))).collect();
    change(&mut mapping);
    import(json!([{"id": "c", "title": "t", "current_node": "m5", "mapping": mapping}]).to_string())
}

const ALL: [&str; 6] = ["m0", "m1", "m2", "m3", "m4", "m5"];

fn list_children(mapping: &mut Map<String, Value>) {
    for number in 0..5 {
        mapping[&format!("m{number}")]["children"] = json!([format!("m{}", number + 1)]);
    }
}

#[test]
fn a_broken_parent_loses_no_message_of_the_branch() {
    for parent in [json!("gone"), Value::Null, json!(7), json!("m4"), json!({"id": "m3"}), json!("m5")] {
        let read = chain(|mapping| mapping["m4"]["parent"] = parent.clone());
        assert_eq!(read.texts(), ALL, "{parent}: by the times");
        let read = chain(|mapping| {
            list_children(mapping);
            for number in 0..6 {
                mapping[&format!("m{number}")]["message"]["create_time"] = Value::Null;
            }
            mapping["m4"]["parent"] = parent.clone();
        });
        assert_eq!((read.texts(), read.skipped.len()), (ALL.to_vec(), 0), "{parent}: by the children");
    }
}

#[test]
fn a_file_with_children_and_no_parents_is_read_whole() {
    let read = chain(|mapping| {
        list_children(mapping);
        mapping.values_mut().for_each(|node| drop(node.as_object_mut().unwrap().remove("parent")));
    });
    assert_eq!((read.texts(), read.skipped.len()), (ALL.to_vec(), 0));
}

#[test]
fn a_missing_node_is_bridged() {
    for with_children in [true, false] {
        let read = chain(|mapping| {
            if with_children {
                list_children(mapping);
            }
            mapping.remove("m3");
        });
        assert_eq!(read.texts(), ["m0", "m1", "m2", "m4", "m5"]);
    }
}

#[test]
fn nodes_are_found_by_their_own_ids_where_the_keys_differ() {
    let read = chain(|mapping| {
        let nodes: Vec<Value> = std::mem::take(mapping).into_iter().map(|(_, node)| node).collect();
        mapping.extend(nodes.into_iter().enumerate().map(|(at, node)| (format!("key-{at}"), node)));
    });
    assert_eq!((read.texts(), read.skipped.len()), (ALL.to_vec(), 0));
}

#[test]
fn messages_that_hang_on_no_branch_are_named_and_counted() {
    let read = chain(|mapping| {
        for number in 0..6 {
            mapping[&format!("m{number}")]["message"]["create_time"] = Value::Null;
        }
        mapping["m2"]["parent"] = json!("gone");
        mapping["m4"]["parent"] = json!("gone too");
    });
    assert_eq!(read.texts(), ["m4", "m5"], "nothing tells what came before");
    let parts: Vec<&str> = read.skipped.iter().map(|skipped| skipped.location.part.as_str()).collect();
    assert_eq!(parts, [0, 1, 2, 3].map(|number| format!("mapping.m{number}.message")));
    assert_eq!(read.reasons()[0], "it hangs on no branch of the conversation");
}

#[test]
fn a_circle_takes_no_message_along_silently() {
    let read = chain(|mapping| mapping["m1"]["parent"] = json!("m3"));
    let found =
        read.texts().len() + read.skipped.iter().filter(|one| one.location.part.contains("m")).count();
    assert!(read.texts().contains(&"m5") && found >= 6, "{:?} {:?}", read.texts(), read.reasons());
}

#[test]
fn other_branches_are_left_out_and_are_no_faults() {
    let read = chain(|mapping| {
        mapping.insert("other".to_owned(), message(9, json!("m2")));
    });
    assert_eq!((read.texts(), read.skipped.len()), (ALL.to_vec(), 0));
}

#[test]
fn a_message_in_an_unknown_form_is_named() {
    for odd in [json!("a text"), json!(7), json!({"author": {"role": "user"}, "note": "words"})] {
        let read = chain(|mapping| mapping["m5"]["message"] = odd.clone());
        assert_eq!((read.texts().len(), read.skipped.len(), read.left_out.blank_texts), (5, 1, 0), "{odd}");
    }
}

#[test]
fn many_messages_without_parents_are_ordered_by_time_in_little_time() {
    let mapping: Map<String, Value> =
        (0..20_000).map(|number| (format!("m{number}"), message(number, json!("gone")))).collect();
    let read = import(json!([{"id": "c", "mapping": mapping}]).to_string());
    assert_eq!((read.texts().len(), read.texts()[1], read.skipped.len()), (20_000, "m1", 0));
}

#[test]
fn conversations_without_ids_keep_their_names_when_others_come_before_them() {
    let conversation = |text: &str, messages: u32| {
        let mapping: Map<String, Value> = (0..messages)
            .map(|number| {
                let parent = number.checked_sub(1).map(|parent| format!("{text}{parent}"));
                let mut node = message(number, json!(parent));
                node["id"] = json!(format!("{text}{number}"));
                node["message"]["id"] = json!(format!("{text}{number}"));
                (format!("{text}{number}"), node)
            })
            .collect();
        json!({"title": text, "create_time": 1_700_000_000, "mapping": mapping})
    };
    let names = |conversations: Value| {
        let read = import(conversations.to_string());
        let named = read.items.iter().map(|item| super::turns(item).session.clone().unwrap());
        named.collect::<Vec<_>>()
    };
    let before = names(json!([conversation("a", 2), conversation("b", 2), conversation("b", 2)]));
    let after = names(json!([
        conversation("new", 1),
        conversation("a", 4),
        conversation("b", 3),
        conversation("b", 2)
    ]));
    assert_eq!(before, after[1..]);
    assert_eq!(after.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}
