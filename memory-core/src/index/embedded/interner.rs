//! String interner: distinct texts of a partition's columns as numbers of 32 bits.

use std::collections::HashMap;
use std::sync::Arc;

use super::heap_size;

/// The number of a text in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Symbol(u32);

impl Symbol {
    /// The value of a text field that a memory lacks.
    pub(super) const NONE: Symbol = Symbol(u32::MAX);

    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// The distinct texts of a partition's columns.
#[derive(Debug, Default)]
pub(super) struct Interner {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Symbol>,
    text_bytes: usize,
}

impl Interner {
    /// The text's number, assigned now if the text is new.
    pub(super) fn intern(&mut self, text: &str) -> Symbol {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let symbol = Symbol(u32::try_from(self.texts.len()).unwrap_or(u32::MAX - 1));
        let text: Arc<str> = text.into();
        self.text_bytes += heap_size::of_arc(text.len());
        self.texts.push(text.clone());
        self.numbers.insert(text, symbol);
        symbol
    }

    /// The symbol of this number, [`Symbol::NONE`] included; none if no text has the number.
    pub(super) fn symbol(&self, number: u32) -> Option<Symbol> {
        let symbol = Symbol(number);
        (symbol == Symbol::NONE || self.text(symbol).is_some()).then_some(symbol)
    }

    /// Number of texts.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Makes room for so many further texts.
    pub(super) fn reserve(&mut self, texts: usize) {
        self.texts.reserve_exact(texts);
        self.numbers.reserve(texts);
    }

    /// The text's number, if the text was interned.
    pub(super) fn find(&self, text: &str) -> Option<Symbol> {
        self.numbers.get(text).copied()
    }

    /// The text of a number; none for [`Symbol::NONE`].
    pub(super) fn text(&self, symbol: Symbol) -> Option<&str> {
        self.texts.get(symbol.0 as usize).map(|text| &**text)
    }

    /// The numbers of the texts for which `holds` is true.
    pub(super) fn matching(&self, mut holds: impl FnMut(&str) -> bool) -> SymbolSet {
        SymbolSet(self.texts.iter().map(|text| holds(text)).collect())
    }

    /// A set of these numbers.
    pub(super) fn set_of(&self, wanted: impl IntoIterator<Item = Symbol>) -> SymbolSet {
        let mut set = vec![false; self.texts.len()];
        for symbol in wanted {
            if let Some(member) = set.get_mut(symbol.0 as usize) {
                *member = true;
            }
        }
        SymbolSet(set)
    }

    pub(super) fn bytes(&self) -> usize {
        self.text_bytes + heap_size::of_vec(&self.texts) + heap_size::of_table(&self.numbers)
    }
}

/// A set of texts, by number.
pub(super) struct SymbolSet(Vec<bool>);

impl SymbolSet {
    /// False for [`Symbol::NONE`].
    pub(super) fn contains(&self, symbol: Symbol) -> bool {
        self.0.get(symbol.0 as usize).copied().unwrap_or(false)
    }
}
