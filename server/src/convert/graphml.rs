//! Exported graphs as documents, piece by piece: JSON as NetworkX reads it, and GraphML (Brandes et al., 2002, doi:
//! 10.1007/3-540-45848-4_59).
//!
//! Texts of memories may have characters that XML 1.0 has no form for. A control character becomes its picture (U+0001 is
//! written as U+2401), U+FFFE and U+FFFF become U+FFFD; all others come back from a parser as they were.

use std::borrow::Cow;

use engrain::wire::{GraphEdge, GraphFormat, GraphNode};
use quick_xml::escape::escape;

/// Attributes of nodes and edges: the element that they belong to, their name and their type.
const ATTRIBUTES: [(&str, &str, &str); 6] = [
    ("node", "kind", "string"),
    ("node", "text", "string"),
    ("edge", "type", "string"),
    ("edge", "relation", "string"),
    ("edge", "weight", "float"),
    ("edge", "reason", "string"),
];

/// Writer of a document.
#[derive(Debug)]
pub(crate) struct GraphWriter {
    format: GraphFormat,
    /// Bytes that are not taken yet.
    pub(crate) unsent: Vec<u8>,
    /// True before the first node or edge of a list.
    is_first: bool,
}

impl GraphWriter {
    /// Begins a document.
    pub(crate) fn begin(format: GraphFormat) -> Self {
        let mut writer = Self { format, unsent: Vec::new(), is_first: true };
        match format {
            GraphFormat::Json => writer.push("{\"directed\":true,\"multigraph\":true,\"nodes\":["),
            GraphFormat::GraphMl => {
                writer.push("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n");
                for (of, name, kind) in ATTRIBUTES {
                    writer.push(&format!(
                        "<key id=\"{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>\n"
                    ));
                }
                writer.push("<graph edgedefault=\"directed\">\n");
            }
        }
        writer
    }

    /// Writes a node.
    pub(crate) fn node(&mut self, node: &GraphNode) {
        match self.format {
            GraphFormat::Json => self.json(node),
            GraphFormat::GraphMl => {
                self.push(&format!("<node id=\"{}\">", node.id));
                self.data("kind", &name_of(&node.kind));
                if let Some(text) = &node.text {
                    self.data("text", text);
                }
                self.push("</node>\n");
            }
        }
    }

    /// Ends the nodes: the edges come next.
    pub(crate) fn end_nodes(&mut self) {
        self.is_first = true;
        if self.format == GraphFormat::Json {
            self.push("],\"edges\":[");
        }
    }

    /// Writes an edge.
    pub(crate) fn edge(&mut self, edge: &GraphEdge) {
        match self.format {
            GraphFormat::Json => self.json(edge),
            GraphFormat::GraphMl => {
                self.push(&format!("<edge source=\"{}\" target=\"{}\">", edge.source, edge.target));
                self.data("type", &name_of(&edge.edge_type));
                self.data("relation", &edge.relation);
                self.data("weight", &edge.weight.to_string());
                if let Some(reason) = &edge.reason {
                    self.data("reason", reason);
                }
                self.push("</edge>\n");
            }
        }
    }

    /// Ends the document.
    pub(crate) fn end(&mut self) {
        self.push(match self.format {
            GraphFormat::Json => "]}\n",
            GraphFormat::GraphMl => "</graph>\n</graphml>\n",
        });
    }

    fn json(&mut self, value: &impl serde::Serialize) {
        if !std::mem::replace(&mut self.is_first, false) {
            self.push(",");
        }
        self.push("\n");
        // The wire's types have string keys only: they can always be written.
        let _ = serde_json::to_writer(&mut self.unsent, value);
    }

    fn data(&mut self, key: &str, value: &str) {
        self.push(&format!("<data key=\"{key}\">{}</data>", content(value)));
    }

    fn push(&mut self, text: &str) {
        self.unsent.extend_from_slice(text.as_bytes());
    }
}

/// Name of a value of an enumeration on the wire.
fn name_of(value: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// A text as the content of an element.
fn content(text: &str) -> String {
    let allowed: Cow<'_, str> = match text.contains(is_forbidden) {
        true => text.chars().map(|it| if is_forbidden(it) { shown(it) } else { it }).collect(),
        false => text.into(),
    };
    // A parser reads a bare carriage return as a line feed.
    escape(allowed).replace('\r', "&#13;")
}

/// True for characters outside the production `Char` of XML 1.0.
fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn shown(forbidden: char) -> char {
    let picture = u32::from(forbidden).checked_add(0x2400).and_then(char::from_u32);
    picture.filter(|_| forbidden < ' ').unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;

    /// Text of an element as a parser gives it back.
    fn parsed(xml: &str) -> String {
        let mut reader = Reader::from_str(xml);
        let mut text = String::new();
        loop {
            match reader.read_event().expect("well-formed XML") {
                Event::Text(part) => text.push_str(&part.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref().expect("a reference") {
                    Some(character) => text.push(character),
                    None => {
                        text.push_str(
                            quick_xml::escape::resolve_predefined_entity(&reference).expect("known"),
                        );
                    }
                },
                Event::Eof => return text,
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_comes_back_from_a_parser_but_for_what_xml_has_no_form_for(text in ".{0,40}") {
            let expected: String = text.chars().map(|it| if is_forbidden(it) { shown(it) } else { it }).collect();
            prop_assert_eq!(parsed(&format!("<data>{}</data>", content(&text))), expected);
        }
    }

    #[test]
    fn forbidden_characters_are_shown_and_line_ends_are_kept() {
        assert_eq!(content("a\u{0}\u{1f}\u{ffff}\r\n<&>\""), "a␀␟\u{fffd}&#13;\n&lt;&amp;&gt;&quot;");
        assert_eq!(parsed(&format!("<data>{}</data>", content("\r\n]]>\t"))), "\r\n]]>\t");
    }
}
