//! Forgetting in a partition: retention of its memories under any policy at any moment, the column of it for a scan, and the
//! memories that a view hides because they are forgotten.
//!
//! The rows hold the decay of the policy of the index. A query whose policy has another retention, one whose curve the scan does not
//! know, and one as of a moment before the newest use of a memory are answered from a column instead, which is evaluated
//! before the scan: the top k is exact for each of them. The column has f64 retentions rounded to f32.
//! A query in which retention has no weight has no column, and one that can hide nothing looks at no moment.

use std::io;
use std::sync::Arc;

use parking_lot::RwLockReadGuard;

use super::bitmap::Bitmap;
use super::columns::Columns;
use super::partition::Partition;
use super::prepared_query::PreparedQuery;
use super::segment::stream::{SectionReader, damaged};
use super::traces::{Moments, NEVER_FADES, Traces};
use crate::domain::filter::Field;
use crate::domain::memory::Kind;
use crate::domain::time::Timestamp;
use crate::index::{Forgetting, IndexQuery, View};
use crate::retention::{Curve, Policy, Trace};

impl Columns {
    /// Trace of a memory under a policy.
    fn trace(&self, policy: &Policy, ordinal: u32) -> Option<Trace<'_>> {
        let importance = *self.importance_column().get(ordinal as usize)?;
        let kind = self.traces.kind(ordinal)?;
        Some(Trace {
            learned_at: self.traces.learned_at(ordinal)?,
            initial_strength: policy.factor(
                kind,
                importance,
                self.traces.nearest_cosine(ordinal),
                self.traces.strength(ordinal)?,
            ),
            importance,
            uses: self.traces.uses(ordinal),
            pinned: self.traces.is_pinned(ordinal),
        })
    }

    /// Retention of a memory, as a column has it.
    fn retention(&self, policy: &Policy, ordinal: u32, now: Timestamp) -> f32 {
        let retention = self.trace(policy, ordinal).map_or(0.0, |trace| policy.curve.retention(&trace, now));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction, rounded to what the scan computes in"
        )]
        let retention = retention as f32;
        retention
    }

    /// Moment at which a memory fades by its uses until `now`, in microseconds.
    fn fades_at(&self, policy: &Policy, ordinal: u32, now: Timestamp) -> i64 {
        let memory = self.id(ordinal).filter(|_| self.alive().contains(ordinal as usize));
        let moment = memory
            .zip(self.trace(policy, ordinal))
            .and_then(|(memory, trace)| policy.fades_at(memory, &trace, now));
        moment.map_or(NEVER_FADES, Timestamp::as_micros)
    }

    fn moments(&self, policy: &Policy) -> RwLockReadGuard<'_, Option<Moments>> {
        self.traces.moments(policy, |ordinal| self.fades_at(policy, ordinal, Timestamp::MAX))
    }

    /// True if the view may hide a memory because it is forgotten.
    pub(super) fn has_forgotten(&self, view: &View) -> bool {
        let Some(policy) = view.forgetting.as_ref().and_then(Forgetting::hiding) else { return false };
        let has_faded = || {
            let moments = self.moments(policy);
            moments.as_ref().is_some_and(|moments| moments.earliest <= view.now.as_micros())
        };
        self.traces.has_recorded() || self.traces.has_use_after(view.now) || has_faded()
    }

    /// The memories that the view does not hide for being forgotten; none if no memory is.
    pub(super) fn unforgotten(&self, view: &View) -> Option<Bitmap> {
        let policy = view.forgetting.as_ref().and_then(Forgetting::hiding)?;
        if !self.has_forgotten(view) {
            return None;
        }
        let now_us = view.now.as_micros();
        let moments = self.moments(policy);
        let at = moments.as_ref().map(|moments| moments.at.as_slice()).unwrap_or_default();
        let mut kept = Bitmap::of(self.len(), |ordinal| at.get(ordinal).is_none_or(|at| *at > now_us));
        drop(moments);
        if self.traces.has_use_after(view.now) {
            for ordinal in self.traces.used_after(view.now) {
                if self.fades_at(policy, ordinal, view.now) > now_us {
                    kept.set(ordinal as usize);
                } else {
                    kept.clear(ordinal as usize);
                }
            }
        }
        self.traces.recorded(view.now).for_each(|ordinal| kept.clear(ordinal as usize));
        Some(kept)
    }

    /// Reads the traces, after all columns.
    pub(super) fn read_traces(&mut self, input: &mut SectionReader<'_>) -> io::Result<()> {
        let symbols = self.text_column(&Field::Kind).unwrap_or_default();
        let kind = |symbol| self.interner().text(symbol).and_then(Kind::parse).ok_or_else(damaged);
        let kinds = symbols.iter().map(|symbol| kind(*symbol)).collect::<io::Result<Vec<Kind>>>()?;
        self.traces = Traces::read(kinds, input)?;
        Ok(())
    }
}

impl Partition {
    /// The policy whose retention has to be evaluated for a query before the scan; none if the rows hold it, or if it has no
    /// weight.
    pub(super) fn policy_to_evaluate(&self, query: &IndexQuery) -> Option<Arc<Policy>> {
        if query.weights.retention == 0.0 || query.vector.is_none() {
            return None;
        }
        let policy = query.view.forgetting.as_ref().map_or(&self.policy, |forgetting| &forgetting.policy);
        let rows_hold_it = policy.is_known_to_scans()
            && policy.has_retention_of(&self.policy)
            && !self.columns.traces.has_use_after(query.view.now);
        (!rows_hold_it).then(|| Arc::clone(policy))
    }

    /// Evaluates the columns of the queries that need one. Queries with one policy and one clock share it.
    pub(super) fn evaluate_columns(&self, prepared: &mut [PreparedQuery<'_>]) {
        let mut columns: Vec<(Arc<Policy>, Timestamp, Arc<[f32]>)> = Vec::new();
        for prepared in prepared {
            let Some(policy) = &prepared.evaluates else { continue };
            let now = prepared.query.view.now;
            let is_same = |(one, at, _): &&(Arc<Policy>, Timestamp, Arc<[f32]>)| {
                *at == now && one.has_retention_of(policy)
            };
            let column = match columns.iter().find(is_same) {
                Some((.., column)) => Arc::clone(column),
                None => self.retention_column(policy, now),
            };
            columns.push((Arc::clone(policy), now, Arc::clone(&column)));
            prepared.column = Some(column);
        }
    }

    /// Retention by row, 0 for dead rows.
    fn retention_column(&self, policy: &Policy, now: Timestamp) -> Arc<[f32]> {
        let mut column = vec![0.0; self.rows()];
        for ordinal in self.columns.alive().iter().filter_map(|ordinal| u32::try_from(ordinal).ok()) {
            let rows = self.rows_of(ordinal);
            let retention = self.columns.retention(policy, ordinal, now);
            if let Some(of_memory) = column.get_mut(rows.start as usize..rows.end as usize) {
                of_memory.fill(retention);
            }
        }
        column.into()
    }

    /// Retention of a memory where it was not read from its rows.
    pub(super) fn evaluated(&self, prepared: &PreparedQuery<'_>, ordinal: u32) -> Option<f32> {
        let policy = prepared.evaluates.as_ref()?;
        Some(self.columns.retention(policy, ordinal, prepared.query.view.now))
    }
}
