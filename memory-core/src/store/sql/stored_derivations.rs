//! Derivations as they are stored: their records, each with its inputs.

use std::collections::HashMap;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::push_ids;
use super::dialect::decode_text;
use super::readable::{all_tuples, readable_tuples};
use super::{Db, Row, SqlStore, StoreError, unavailable};
use crate::domain::derivation::{Derivation, Input, Maker, Source};
use crate::domain::id::{DerivationId, JobId, MemoryId, TurnId};
use crate::domain::time::Timestamp;

/// Columns of a derivation: id, maker, model, prompt, job, time.
pub(super) type Record = (Uuid, String, Option<String>, Option<String>, Option<Uuid>, i64);

/// Treatment of rows that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// The row is left out and reported.
    LeftOut,
    /// The read fails with [`StoreError::Corrupt`].
    Refused,
}

impl Undecodable {
    /// Rows as tuples.
    pub(super) fn tuples<T>(self, rows: &[Row], table: &'static str) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> sqlx::FromRow<'r, Row>,
    {
        match self {
            Undecodable::LeftOut => readable_tuples(rows, table),
            Undecodable::Refused => all_tuples(rows, table),
        }
    }
}

impl SqlStore {
    /// Derivations of at most [`super::bulk::IDS_PER_STATEMENT`] records, in their order.
    pub(super) async fn with_inputs(
        &self,
        records: Vec<Record>,
        undecodable: Undecodable,
    ) -> Result<Vec<Derivation>, StoreError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT derivation_id, source_id, source_kind, is_evidence FROM derivation_inputs
             WHERE derivation_id IN (",
        );
        push_ids(&mut statement, records.iter().map(|record| record.0));
        statement.push(" ORDER BY derivation_id, source_id");
        let rows = statement.build().fetch_all(&self.readers).await.map_err(unavailable)?;
        let rows: Vec<(Uuid, Uuid, String, bool)> = undecodable.tuples(&rows, "derivation_inputs")?;
        let mut inputs: HashMap<Uuid, Vec<Input>> = HashMap::new();
        for (derivation, id, kind, is_evidence) in rows {
            let source = if kind == "turn" { Source::Turn(TurnId(id)) } else { Source::Memory(MemoryId(id)) };
            inputs.entry(derivation).or_default().push(Input { source, is_evidence });
        }
        let derivation = |(id, name, model, prompt, job, made_us): Record| Derivation {
            id: DerivationId(id),
            maker: Maker {
                name: decode_text(name),
                model: model.map(decode_text),
                prompt: prompt.map(decode_text),
            },
            job: job.map(JobId),
            inputs: inputs.remove(&id).unwrap_or_default(),
            made_at: Timestamp::from_micros(made_us),
        };
        Ok(records.into_iter().map(derivation).collect())
    }
}
