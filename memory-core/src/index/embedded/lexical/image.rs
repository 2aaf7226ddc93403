//! The image of the lexical index in a segment file: lengths and languages of the live rows, their terms, and the hash and
//! document frequency of each term id. Postings are made from the forward index: they then agree with it whatever the file
//! says, and fit their allocation. Ids of terms that only dead rows have become free ids, as in a purge.

use std::io;

use super::LexicalIndex;
use super::forward::Forward;
use super::postings::Posting;
use super::rows::RowTable;
use super::vocabulary::Vocabulary;
use crate::index::embedded::segment::stream::{SectionReader, SectionWriter, damaged};
use crate::text::Language;

impl LexicalIndex {
    /// Writes the live rows, which are numbered anew in their order.
    pub(in crate::index::embedded) fn write(&self, out: &mut SectionWriter<'_>) -> io::Result<()> {
        let docs = || self.rows.live_docs();
        out.put_len(self.len())?;
        docs().try_for_each(|(_, _, length_tokens, _)| out.put(length_tokens))?;
        docs().try_for_each(|(_, _, _, language)| out.put(language.to_byte()))?;
        let encoded = |doc| self.forward.encoded(doc);
        docs().try_for_each(|(doc, ..)| out.put_len(encoded(doc).len()))?;
        out.put_len(docs().map(|(doc, ..)| encoded(doc).len()).sum())?;
        docs().try_for_each(|(doc, ..)| out.put_all(encoded(doc)))?;
        let terms = || self.vocabulary.terms();
        let in_use = terms().filter(|(_, document_frequency)| *document_frequency > 0);
        out.put_len(terms().len())?;
        out.put_len(in_use.count())?;
        // The hash of a term without live rows would tell of an erased one.
        terms().try_for_each(|(hash, df)| out.put([if df > 0 { hash } else { 0 }, df]))
    }

    /// The index of the rows with these groups, in the order of their numbers.
    pub(in crate::index::embedded) fn read(
        groups: impl ExactSizeIterator<Item = u32>,
        input: &mut SectionReader<'_>,
    ) -> io::Result<Self> {
        let docs = groups.len();
        if input.next_len()? != docs || docs > Posting::MAX_DOCS {
            return Err(damaged());
        }
        let lengths_tokens: Vec<u32> = input.vec(docs)?;
        let languages: Vec<u8> = input.vec(docs)?;
        let encoded_lengths: Vec<u32> = input.vec(docs)?;
        let encoded_bytes = input.next_len()?;
        let encoded: Vec<u8> = input.vec(encoded_bytes)?;
        let forward = Forward::from_encoded(encoded, &encoded_lengths).ok_or_else(damaged)?;
        drop(encoded_lengths);
        let (mut vocabulary, expected) = read_vocabulary(encoded_bytes, input)?;
        let mut rows = RowTable::default();
        rows.reserve(docs);
        let mut postings = 0_usize;
        for (((row, group), length_tokens), language) in (0..).zip(groups).zip(&lengths_tokens).zip(languages)
        {
            let language = Language::from_byte(language).ok_or_else(damaged)?;
            let is_whole = forward.check_terms(row, |id, count| {
                postings += 1;
                vocabulary.fill(id, row, count, *length_tokens)
            });
            if !is_whole {
                return Err(damaged());
            }
            rows.push(row, group, *length_tokens, language);
        }
        // No list took more than its document frequency: with the right sum, each took as many.
        if postings != expected {
            return Err(damaged());
        }
        Ok(Self { rows, forward, vocabulary, ..Self::default() })
    }
}

/// The vocabulary without postings, but with room for them, and their number: at most one for each of so many bytes of
/// the forward index.
fn read_vocabulary(encoded_bytes: usize, input: &mut SectionReader<'_>) -> io::Result<(Vocabulary, usize)> {
    let (ids, in_use) = (input.next_len()?, input.next_len()?);
    input.check_room::<u64>(ids)?;
    if in_use > ids {
        return Err(damaged());
    }
    let mut vocabulary = Vocabulary::default();
    vocabulary.reserve(ids, in_use);
    let mut room = encoded_bytes;
    input.each(ids, |[hash, document_frequency]: [u32; 2]| {
        room = room.checked_sub(document_frequency as usize).ok_or_else(damaged)?;
        if vocabulary.push_term(hash, document_frequency) { Ok(()) } else { Err(damaged()) }
    })?;
    Ok((vocabulary, encoded_bytes - room))
}
