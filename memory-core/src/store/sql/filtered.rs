//! Filtered pages of memory ids: a keyset scan of one partition in the order of ids.
//!
//! Equality of kind, agent, app and run in the top conjunction becomes SQL, since SQL compares these bytewise as well.
//! If nothing else is left of the filter, SQL alone reads ids and counts rows, in one read snapshot. Otherwise the scan
//! decodes the memories that pass the SQL conditions, without their texts, and evaluates [`Filter::matches`] on each. At most
//! [`MEMORIES_PER_STEP`] memories are in memory at a time, and at most `limit` ids.
//!
//! Scans take turns in [`super::scan_slots::ScanSlots`], and hold a connection only while a step is read: all other reads of all owners share
//! these connections. A scan that nobody waits for any more ends within [`ROWS_PER_LOOK`] memories.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::load::last_id;
use super::readable::readable;
use super::rows::{self, memory_columns};
use super::{Connection, Db, Row, SqlStore, StoreError, dialect, unavailable};
use crate::domain::filter::{Field, Filter, Scalar, Test};
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::name::Name;
use crate::store::{FilteredIds, IdPage, MatchingIds};

/// Maximum number of memories decoded at a time. With the largest metadata they take about 8 MiB.
const MEMORIES_PER_STEP: usize = 512;
/// Memories that are evaluated between two looks whether the scan is still wanted.
const ROWS_PER_LOOK: usize = 16;

#[async_trait]
impl FilteredIds for SqlStore {
    async fn matching_ids(
        &self,
        partition: PartitionId,
        filter: &Filter,
        page: IdPage,
    ) -> Result<MatchingIds, StoreError> {
        let prefilter = Prefilter::of(filter);
        let scan = Scan { partition, prefilter: &prefilter, newest_first: page.newest_first };
        // The ids of all memories are read along the key, and their number is stored.
        let _slot = if filter.is_everything() { None } else { Some(self.scan_slots.take().await?) };
        if !prefilter.is_whole {
            return scan.page_by_evaluation(&self.readers, filter, page).await;
        }
        let mut snapshot = self.readers.begin_with(dialect::BEGIN_READ).await.map_err(unavailable)?;
        let matching = scan.page_by_sql(&mut snapshot, page).await?;
        snapshot.commit().await.map_err(unavailable)?;
        Ok(matching)
    }

    async fn ids_beside_memories(
        &self,
        partition: PartitionId,
        after: Option<MemoryId>,
        limit: u32,
    ) -> Result<Vec<MemoryId>, StoreError> {
        let mut damaged = None;
        for statement in [dialect::IDS_OF_INDEX, IDS_OF_LOG] {
            let ids: Result<Vec<Uuid>, StoreError> = sqlx::query_scalar(statement)
                .bind(partition.0)
                .bind(after.map_or(Uuid::nil(), |id| id.0))
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await
                .map_err(unavailable);
            match ids {
                Ok(ids) => return Ok(ids.into_iter().map(MemoryId).collect()),
                Err(error @ StoreError::Damaged(_)) => damaged = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(damaged.unwrap_or_else(|| StoreError::Unavailable("no ids were looked for".into())))
    }
}

/// Ids in the change log of a partition.
const IDS_OF_LOG: &str = "SELECT DISTINCT memory_id FROM changes WHERE +partition_id = $1 AND memory_id > $2
     ORDER BY memory_id LIMIT $3";

/// Part of a filter that SQL evaluates exactly: a conjunction of equalities.
struct Prefilter<'a> {
    equalities: Vec<(&'static str, &'a str)>,
    /// True if the equalities are the whole filter.
    is_whole: bool,
}

impl<'a> Prefilter<'a> {
    fn of(filter: &'a Filter) -> Self {
        let mut prefilter = Self { equalities: Vec::new(), is_whole: true };
        prefilter.add(filter);
        prefilter
    }

    fn add(&mut self, filter: &'a Filter) {
        match filter {
            Filter::And(parts) => parts.iter().for_each(|part| self.add(part)),
            // Only texts that a column can hold: a database may refuse others, such as those with a NUL.
            Filter::Field(field, Test::Eq(Scalar::Text(text))) if Name::stored(text).is_ok() => {
                match equality_column(field) {
                    Some(column) => self.equalities.push((column, text)),
                    None => self.is_whole = false,
                }
            }
            Filter::Field(..) | Filter::Or(_) | Filter::Not(_) => self.is_whole = false,
        }
    }

    /// Appends the conditions to a non-empty `WHERE` clause.
    fn push_to(&self, statement: &mut QueryBuilder<Db>) {
        for (column, text) in &self.equalities {
            statement.push(" AND m.").push(column).push(" = ").push_bind((*text).to_owned());
        }
    }
}

/// Evaluation of a filter, which ends early once this is dropped.
struct Evaluation {
    filter: Arc<Filter>,
    is_over: Arc<AtomicBool>,
}

impl Drop for Evaluation {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Evaluation {
    fn of(filter: &Filter) -> Self {
        Self { filter: Arc::new(filter.clone()), is_over: Arc::default() }
    }

    /// The memories of a step that the filter selects. On a blocking thread, because decoding and the largest filter take
    /// long on large metadata.
    async fn step(&self, rows: Vec<Row>) -> Result<Step, StoreError> {
        let (filter, is_over) = (Arc::clone(&self.filter), Arc::clone(&self.is_over));
        let evaluation = move || {
            let mut step = Step::default();
            for some in rows.chunks(ROWS_PER_LOOK) {
                if is_over.load(Ordering::Relaxed) {
                    break; // nobody reads the result
                }
                let memories = readable(some, rows::memory)?;
                step.unreadable += (some.len() - memories.len()) as u64;
                let selected = memories.iter().filter(|memory| filter.matches(memory));
                step.selected.extend(selected.map(|memory| memory.id));
            }
            Ok(step)
        };
        let evaluated = tokio::task::spawn_blocking(evaluation).await;
        evaluated.map_err(|error| StoreError::Unavailable(Box::new(error)))?
    }
}

fn equality_column(field: &Field) -> Option<&'static str> {
    match field {
        Field::Kind => Some("kind"),
        Field::Agent => Some("agent_id"),
        Field::App => Some("app_id"),
        Field::Run => Some("run_id"),
        _ => None,
    }
}

/// Result for some memories of a scan.
#[derive(Default)]
struct Step {
    /// Those that the filter selects, in the order of the scan.
    selected: Vec<MemoryId>,
    /// Number of those that cannot be decoded.
    unreadable: u64,
}

/// Scan of the memories of a partition that pass the prefilter, in ascending or descending order of ids.
struct Scan<'a> {
    partition: PartitionId,
    prefilter: &'a Prefilter<'a>,
    newest_first: bool,
}

impl Scan<'_> {
    async fn page_by_sql(&self, snapshot: &mut Connection, page: IdPage) -> Result<MatchingIds, StoreError> {
        let total = self.count(snapshot).await?;
        let mut statement = QueryBuilder::<Db>::new("SELECT m.id FROM memories m ");
        self.push_conditions(&mut statement, page.after, page.limit.saturating_add(1));
        let mut ids: Vec<Uuid> =
            statement.build_query_scalar().fetch_all(snapshot).await.map_err(unavailable)?;
        let has_more = ids.len() > page.limit as usize;
        ids.truncate(page.limit as usize);
        Ok(MatchingIds { ids: ids.into_iter().map(MemoryId).collect(), total, has_more, unreadable: 0 })
    }

    async fn count(&self, snapshot: &mut Connection) -> Result<u64, StoreError> {
        let mut statement = if self.prefilter.equalities.is_empty() {
            let mut statement = QueryBuilder::<Db>::new(concat!(
                "SELECT ",
                dialect::counter!(memory_count),
                " FROM partitions WHERE id = "
            ));
            statement.push_bind(self.partition.0);
            statement
        } else {
            let mut statement =
                QueryBuilder::<Db>::new("SELECT count(*) FROM memories m WHERE m.partition_id = ");
            statement.push_bind(self.partition.0);
            self.prefilter.push_to(&mut statement);
            statement
        };
        let count: Option<i64> =
            statement.build_query_scalar().fetch_optional(snapshot).await.map_err(unavailable)?;
        Ok(count.unwrap_or(0).unsigned_abs())
    }

    /// The whole partition is scanned, since all matches are counted. A change made meanwhile is seen if the scan has not
    /// passed its memory.
    async fn page_by_evaluation(
        &self,
        readers: &sqlx::Pool<Db>,
        filter: &Filter,
        page: IdPage,
    ) -> Result<MatchingIds, StoreError> {
        let mut matching = MatchingIds::default();
        let evaluation = Evaluation::of(filter);
        let mut after = None;
        loop {
            let rows = self.next_rows(readers, after).await?;
            let read = rows.len();
            after = last_id(&rows).map(MemoryId);
            let Step { selected, unreadable } = evaluation.step(rows).await?;
            matching.unreadable += unreadable;
            for id in selected {
                matching.total += 1;
                if !page.is_past_cursor(id) {
                    continue;
                }
                if matching.ids.len() < page.limit as usize {
                    matching.ids.push(id);
                } else {
                    matching.has_more = true;
                }
            }
            if read < MEMORIES_PER_STEP || after.is_none() {
                return Ok(matching);
            }
        }
    }

    /// Rows of the next step. The connection is given back before they are evaluated.
    async fn next_rows(
        &self,
        readers: &sqlx::Pool<Db>,
        after: Option<MemoryId>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(concat!("SELECT ", memory_columns!("NULL")));
        let limit = u32::try_from(MEMORIES_PER_STEP).unwrap_or(u32::MAX);
        self.push_conditions(&mut statement, after, limit);
        statement.build().fetch_all(readers).await.map_err(unavailable)
    }

    fn push_conditions(&self, statement: &mut QueryBuilder<Db>, after: Option<MemoryId>, limit: u32) {
        statement.push("WHERE m.partition_id = ").push_bind(self.partition.0);
        if let Some(after) = after {
            statement
                .push(if self.newest_first { " AND m.id < " } else { " AND m.id > " })
                .push_bind(after.0);
        }
        self.prefilter.push_to(statement);
        let order = if self.newest_first { " ORDER BY m.id DESC LIMIT " } else { " ORDER BY m.id LIMIT " };
        statement.push(order).push_bind(i64::from(limit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(field: Field, text: &str) -> Filter {
        Filter::Field(field, Test::Eq(Scalar::Text(text.to_owned())))
    }

    #[test]
    fn sql_evaluates_only_equalities_of_the_top_conjunction() {
        let agent = || is(Field::Agent, "a");
        let nested =
            Filter::And(vec![Filter::everything(), Filter::And(vec![agent(), is(Field::Kind, "fact")])]);
        for (filter, equalities, is_whole) in [
            (Filter::everything(), vec![], true),
            (nested, vec![("agent_id", "a"), ("kind", "fact")], true),
            (Filter::And(vec![agent(), is(Field::Tags, "t")]), vec![("agent_id", "a")], false),
            (Filter::And(vec![agent(), is(Field::Run, "\u{0}")]), vec![("agent_id", "a")], false),
            (Filter::Or(vec![agent()]), vec![], false),
            (Filter::Not(Box::new(agent())), vec![], false),
            (Filter::Field(Field::Agent, Test::IsNull(true)), vec![], false),
        ] {
            let prefilter = Prefilter::of(&filter);
            assert_eq!((prefilter.equalities, prefilter.is_whole), (equalities, is_whole), "{filter:?}");
        }
    }
}
