//! Annotation of a note (A-MEM, arXiv 2502.12110, section 3.1): keywords K and context X, which a note is found by besides
//! its text and its tags. It belongs to a version, and a later version may have another one.

use std::borrow::Cow;

use super::name::Name;

/// Keywords and context of one version of a note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotation {
    /// Keywords, the most important first.
    pub keywords: Vec<Name>,
    /// Sentence on the topic, the points and the purpose; `None` for no context.
    pub context: Option<String>,
}

impl Annotation {
    /// Maximum number of keywords.
    pub const KEYWORDS_AT_MOST: usize = 16;
    /// Maximum length of a context, in bytes.
    pub const CONTEXT_BYTES_AT_MOST: usize = 1_024;

    /// True if it is within its bounds.
    pub fn is_bounded(&self) -> bool {
        self.keywords.len() <= Self::KEYWORDS_AT_MOST
            && self.context.as_ref().is_none_or(|context| context.len() <= Self::CONTEXT_BYTES_AT_MOST)
    }
}

/// Text that a memory is found by: its text c, and with an annotation concat(c, K, G, X) of the paper, a line each for
/// keywords, tags G and context. The text comes first, so that spans in it are spans in the key.
pub(super) fn key_text<'t>(text: &'t str, tags: &[Name], annotation: Option<&Annotation>) -> Cow<'t, str> {
    let Some(annotation) = annotation else { return Cow::Borrowed(text) };
    let mut key = text.to_owned();
    for names in [&annotation.keywords[..], tags] {
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().map(Name::as_str).collect();
            key.push('\n');
            key.push_str(&names.join(", "));
        }
    }
    if let Some(context) = &annotation.context {
        key.push('\n');
        key.push_str(context);
    }
    Cow::Owned(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_note_is_its_text_with_keywords_tags_and_context() {
        let names = |texts: &[&str]| texts.iter().filter_map(|text| Name::new(text).ok()).collect::<Vec<_>>();
        let annotation =
            Annotation { keywords: names(&["Lisbon", "flat"]), context: Some("A move.".to_owned()) };
        assert_eq!(key_text("Ann: I moved", &names(&["home"]), None), "Ann: I moved");
        let key = key_text("Ann: I moved", &names(&["home"]), Some(&annotation));
        assert_eq!(key, "Ann: I moved\nLisbon, flat\nhome\nA move.");
        assert_eq!(key_text("Ann", &[], Some(&Annotation::default())), "Ann");
    }
}
