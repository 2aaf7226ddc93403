//! The rules of a view, evaluated to bitmaps of ordinals. Invariant: they hide exactly what [`View::hides`] says of the
//! present version; revised memories pass if they were created by the record time.
//!
//! Most partitions have nothing that a rule but the filter could hide. Their extent tells so without a look at a column, and
//! a search then has no mask.

use std::borrow::Cow;

use super::bitmap::Bitmap;
use super::columns::{Columns, NEVER};
use super::filtering;
use crate::domain::digest::Level;
use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::grant::Selection;
use crate::domain::id::MemoryId;
use crate::domain::memory::Kind;
use crate::domain::name::Name;
use crate::domain::time::Timestamp;
use crate::index::{Candidate, ValidTime, View};

impl Columns {
    /// True if all live memories are visible, as far as can be told without a look at them.
    pub(super) fn hides_nothing(&self, view: &View) -> bool {
        let extent = self.extent();
        let has_hidden = view.shared_only
            || extent.has_expired(view.now)
            || extent.has_invalid(&view.valid)
            || extent.has_audience() && view.partner.is_some()
            || view.known_at.is_some_and(|known_at| extent.has_later(known_at))
            || view.hides_digests && self.has_digests();
        let has_hidden = has_hidden || self.has_forgotten(view);
        view.filter.is_everything() && !has_hidden
    }

    /// The visible ordinals.
    pub(super) fn visible(&self, view: &View) -> Bitmap {
        let mut visible = self.alive().clone();
        let filter = (!view.filter.is_everything()).then(|| filtering::evaluate(&view.filter, self));
        let rules = [
            filter,
            self.without_digests(view.hides_digests),
            self.shared(view),
            self.unexpired(view.now),
            self.unforgotten(view),
            self.valid(&view.valid),
            self.told(view.partner.as_ref()),
        ];
        rules.iter().flatten().for_each(|kept| visible.and(kept));
        if let Some(revised) = self.revised(view.known_at) {
            visible.or(&revised);
            visible.and(self.alive());
        }
        if let Some(recorded) = self.recorded(view.known_at) {
            visible.and(&recorded);
        }
        visible
    }

    /// The memories that a query may see which does not name their owner: the shared ones, or those that grants open; none if
    /// all are visible.
    pub(super) fn shared(&self, view: &View) -> Option<Bitmap> {
        if !view.shared_only {
            return None;
        }
        let Some(opened) = &view.opened else { return Some(self.extent().shared.clone()) };
        let mut open = Bitmap::none(self.len());
        if let Some(filter) = &opened.shared {
            let mut shared = filtering::evaluate(filter, self);
            shared.and(&self.extent().shared);
            open.or(&shared);
        }
        for (_, selection) in &opened.grants {
            self.select(selection, &mut open);
        }
        Some(open)
    }

    /// Adds the memories of a selection. By tag and by filter it has none that were told in confidence.
    fn select(&self, selection: &Selection, open: &mut Bitmap) {
        let filter = match selection {
            Selection::Memories(ids) => {
                let ordinals = ids.iter().filter_map(|id| self.ordinal(*id));
                return ordinals.for_each(|ordinal| open.set(ordinal as usize));
            }
            Selection::Tag(tag) => {
                let tag = Scalar::Text(tag.as_str().to_owned());
                Cow::Owned(Filter::Field(Field::Tags, Test::Eq(tag)))
            }
            Selection::Filter(filter) => Cow::Borrowed(filter),
        };
        let mut selected = filtering::evaluate(&filter, self);
        if self.extent().has_audience() {
            let mut told_to_all = self.extent().confided.clone();
            told_to_all.negate();
            selected.and(&told_to_all);
        }
        open.or(&selected);
    }

    /// True if a memory may be a digest of a day or of the portrait: their namespaces were seen. Three look-ups in a map.
    fn has_digests(&self) -> bool {
        Level::ALL.iter().any(|level| self.interner().find(level.namespace()).is_some())
    }

    /// The memories that are no digests of days and of the portrait, if these are hidden; none if there are no such.
    pub(super) fn without_digests(&self, hides_digests: bool) -> Option<Bitmap> {
        if !hides_digests || !self.has_digests() {
            return None;
        }
        let text = |text: &str| Test::Eq(Scalar::Text(text.to_owned()));
        let mut namespaces = Level::ALL.map(Level::namespace).to_vec();
        namespaces.dedup();
        let namespaces = namespaces.into_iter().map(|name| Filter::Field(Field::Namespace, text(name)));
        let digests = Filter::And(vec![
            Filter::Field(Field::Kind, text(Kind::Digest.as_str())),
            Filter::Or(namespaces.collect()),
        ]);
        Some(filtering::evaluate(&Filter::Not(Box::new(digests)), self))
    }

    /// The memories that have not expired by `now`; none if no memory has.
    pub(super) fn unexpired(&self, now: Timestamp) -> Option<Bitmap> {
        let expires = self.time_column(&Field::ExpiresAt).filter(|_| self.extent().has_expired(now))?;
        let now = now.as_micros();
        Some(Bitmap::of(self.len(), |ordinal| expires[ordinal] == NEVER || expires[ordinal] > now))
    }

    /// The memories that are valid at the valid time; none if all are.
    pub(super) fn valid(&self, valid: &ValidTime) -> Option<Bitmap> {
        if !self.extent().has_invalid(valid) {
            return None;
        }
        let happened = self.time_column(&Field::HappenedAt)?;
        let (start, end) = (self.time_column(&Field::ValidFrom)?, self.time_column(&Field::ValidTo)?);
        let kinds = self.text_column(&Field::Kind)?;
        let turn = self.interner().find(Kind::Turn.as_str());
        let at = valid.at.as_micros();
        Some(Bitmap::of(self.len(), |ordinal| {
            // A missing start is the earliest number, as an open interval needs it.
            let is_later = start[ordinal] > at || Some(kinds[ordinal]) == turn && happened[ordinal] > at;
            let has_ended = end[ordinal] != NEVER && end[ordinal] <= at;
            !(valid.hides_ended && has_ended || valid.hides_later && is_later)
        }))
    }

    /// The memories that may be told to the partner; none if all may.
    pub(super) fn told(&self, partner: Option<&Name>) -> Option<Bitmap> {
        let partner = partner.filter(|_| self.extent().has_audience())?;
        let mut told = self.extent().confided.clone();
        told.negate();
        let symbol = self.interner().find(partner.as_str());
        let confided = symbol.and_then(|symbol| self.set_column(&Field::Audience)?.get(&symbol));
        confided.into_iter().flatten().for_each(|ordinal| told.set(*ordinal as usize));
        Some(told)
    }

    /// The memories that were created by the record time; none if all were.
    pub(super) fn recorded(&self, known_at: Option<Timestamp>) -> Option<Bitmap> {
        let known_at = known_at.filter(|known_at| self.extent().has_later(*known_at))?.as_micros();
        let created = self.time_column(&Field::CreatedAt)?;
        Some(Bitmap::of(self.len(), |ordinal| created[ordinal] <= known_at))
    }

    /// The memories whose present version was recorded after the record time; none if no memory's was.
    pub(super) fn revised(&self, known_at: Option<Timestamp>) -> Option<Bitmap> {
        let known_at = known_at.filter(|known_at| self.extent().has_later(*known_at))?.as_micros();
        let recorded = self.time_column(&Field::RecordedAt)?;
        Some(Bitmap::of(self.len(), |ordinal| recorded[ordinal] > known_at))
    }

    /// The revised memories among candidates.
    pub(super) fn revised_among(&self, candidates: &[Candidate], view: &View) -> Vec<MemoryId> {
        let Some(revised) = self.revised(view.known_at) else { return Vec::new() };
        let is_revised =
            |id: &MemoryId| self.ordinal(*id).is_some_and(|ordinal| revised.contains(ordinal as usize));
        candidates.iter().map(|candidate| candidate.memory).filter(is_revised).collect()
    }

    /// Each of `memories` with the visible memories that contradict it or that it contradicts, by id.
    pub(super) fn contradictions(&self, memories: &[MemoryId], view: &View) -> Vec<(MemoryId, MemoryId)> {
        if !self.has_contradictions() {
            return Vec::new();
        }
        let visible = self.visible(view);
        let mut pairs = Vec::new();
        for id in memories.iter().filter(|id| self.ordinal(**id).is_some()) {
            let others = self.contradicting(*id).filter(|ordinal| visible.contains(*ordinal as usize));
            let mut others: Vec<MemoryId> = others.filter_map(|ordinal| self.id(ordinal)).collect();
            others.sort_unstable();
            others.dedup();
            pairs.extend(others.into_iter().map(|other| (*id, other)));
        }
        pairs
    }
}
