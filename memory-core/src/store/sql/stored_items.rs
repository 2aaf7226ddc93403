//! Items of the store that a set may have again: turns of its session, and memories of its partition.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::IDS_PER_STATEMENT;
use super::rows::{self, Reader, TURN_COLUMN_COUNT, TURN_COLUMNS};
use super::{Connection, Db, StoreError, unavailable};
use crate::domain::change::{NewMemory, NewTurns};
use crate::domain::id::{MemoryId, PartitionId, SessionId, TurnId};
use crate::domain::name::Name;
use crate::domain::turn::Turn;

/// State of an item of a set in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    New,
    /// In the store, or earlier in the set.
    There {
        turn: Option<TurnId>,
        memory: MemoryId,
        conflicts: bool,
    },
    Erased,
}

/// Stored turns of a session that a set may have again, in the order of the session.
#[derive(Default)]
pub(super) struct StoredTurns {
    by_key: HashMap<Name, Vec<(Turn, MemoryId)>>,
    /// By the position that was sent with them, or by their ordinal if none was.
    by_position: HashMap<u32, Vec<(Turn, MemoryId)>>,
}

impl StoredTurns {
    pub(super) async fn read(
        from: &mut Connection,
        session: SessionId,
        new: &NewTurns,
    ) -> Result<Self, StoreError> {
        let keys: BTreeSet<&str> =
            new.turns.iter().filter_map(|(turn, _)| Some(turn.key.as_ref()?.as_str())).collect();
        let positions: BTreeSet<u32> = new
            .turns
            .iter()
            .filter(|(turn, _)| turn.key.is_none())
            .filter_map(|(turn, _)| turn.position)
            .collect();
        let mut stored = Self::default();
        let keys: Vec<&str> = keys.into_iter().collect();
        for some in keys.chunks(IDS_PER_STATEMENT) {
            for (turn, memory) in turns_where(from, session, "key", some.iter().copied(), "").await? {
                let Some(key) = turn.key.clone() else { continue };
                stored.by_key.entry(key).or_default().push((turn, memory));
            }
        }
        let positions: Vec<i64> = positions.into_iter().map(i64::from).collect();
        for some in positions.chunks(IDS_PER_STATEMENT) {
            let by_ordinal = (" AND position IS NULL", "seq");
            for (condition, column) in [("", "position"), by_ordinal] {
                for (turn, memory) in
                    turns_where(from, session, column, some.iter().copied(), condition).await?
                {
                    let place = turn.position.unwrap_or(turn.seq);
                    stored.by_position.entry(place).or_default().push((turn, memory));
                }
            }
        }
        Ok(stored)
    }

    pub(super) fn find(&self, turn: &Turn) -> Item {
        let there = match (&turn.key, turn.position) {
            (Some(key), _) => self.by_key.get(key),
            (None, Some(position)) => self.by_position.get(&position),
            (None, None) => None,
        };
        let Some(there) = there else { return Item::New };
        let same = there.iter().find(|(stored, _)| turn.says_the_same_as(stored));
        match (same, there.first()) {
            (Some((stored, memory)), _) => {
                Item::There { turn: Some(stored.id), memory: *memory, conflicts: false }
            }
            (None, Some((stored, memory))) if turn.key.is_some() => {
                Item::There { turn: Some(stored.id), memory: *memory, conflicts: true }
            }
            _ => Item::New,
        }
    }
}

/// Turns of a session with one of these values in a column, with their memories, in the order of the session.
async fn turns_where<'v, T>(
    from: &mut Connection,
    session: SessionId,
    column: &'static str,
    values: impl ExactSizeIterator<Item = T> + Clone,
    condition: &'static str,
) -> Result<Vec<(Turn, MemoryId)>, StoreError>
where
    T: 'v + Copy + Send + sqlx::Encode<'v, Db> + sqlx::Type<Db>,
{
    let mut statement = QueryBuilder::<Db>::new("SELECT ");
    statement.push(TURN_COLUMNS).push(
        ", (SELECT m.id FROM memories m WHERE m.partition_id = turns.partition_id AND m.turn_id = turns.id)
         FROM turns WHERE session_id = ",
    );
    statement.push_bind(session.0).push(" AND ").push(column).push(" IN (");
    push_values(&mut statement, values);
    // Sorted here: for an order by `seq`, SQLite would read the whole session in that order.
    statement.push(condition);
    let mut found = Vec::new();
    for row in statement.build().fetch_all(from).await.map_err(unavailable)? {
        let memory: Option<Uuid> = Reader { row: &row, table: "turns" }.get(TURN_COLUMN_COUNT, "memory")?;
        found.extend(memory.map(MemoryId).map(|memory| Ok((rows::turn(&row)?, memory))).transpose()?);
    }
    found.sort_unstable_by_key(|(turn, _): &(Turn, MemoryId)| turn.seq);
    Ok(found)
}

/// Pushes `values)`, with the last one repeated up to a power of two, so that few statements stay prepared.
fn push_values<'v, T>(statement: &mut QueryBuilder<Db>, values: impl ExactSizeIterator<Item = T> + Clone)
where
    T: 'v + Copy + Send + sqlx::Encode<'v, Db> + sqlx::Type<Db>,
{
    let filler = values.len().next_power_of_two() - values.len();
    let last = values.clone().last();
    let mut list = statement.separated(", ");
    for value in values.chain(std::iter::repeat_n(last, filler).flatten()) {
        list.push_bind(value);
    }
    list.push_unseparated(")");
}

/// Stored memories that a set may have again, by their own keys and by their ids.
#[derive(Default)]
pub(super) struct StoredMemories {
    by_key: HashMap<String, (MemoryId, Option<String>)>,
}

impl StoredMemories {
    pub(super) async fn read(
        from: &mut Connection,
        partition: PartitionId,
        new: &[NewMemory],
    ) -> Result<Self, StoreError> {
        let keys: HashSet<&str> = new.iter().filter_map(|new| Some(new.key.as_ref()?.as_str())).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let mut by_key = HashMap::new();
        for some in keys.chunks(IDS_PER_STATEMENT) {
            // A memory that comes back from an export of this store has its own id as the key.
            let ids: Vec<Uuid> = some.iter().filter_map(|key| Uuid::parse_str(key).ok()).collect();
            if !ids.is_empty() {
                let mut statement = begin_memories("id", partition);
                push_values(&mut statement, ids.into_iter());
                for row in statement.build().fetch_all(&mut *from).await.map_err(unavailable)? {
                    let at = Reader { row: &row, table: "memories" };
                    let id: Uuid = at.get(0, "id")?;
                    by_key.insert(id.to_string(), (MemoryId(id), at.text(1)?));
                }
            }
            let mut statement = begin_memories("own_key", partition);
            push_values(&mut statement, some.iter().copied());
            for row in statement.build().fetch_all(&mut *from).await.map_err(unavailable)? {
                let at = Reader { row: &row, table: "memories" };
                by_key.insert(at.get(2, "own_key")?, (MemoryId(at.get(0, "id")?), at.text(1)?));
            }
        }
        Ok(Self { by_key })
    }

    pub(super) fn find(&self, new: &NewMemory) -> Item {
        let there = new.key.as_ref().and_then(|key| self.by_key.get(key.as_str()));
        let Some((memory, text)) = there else { return Item::New };
        let conflicts = text.as_ref() != Some(&new.memory.text);
        Item::There { turn: None, memory: *memory, conflicts }
    }
}

fn begin_memories(column: &'static str, partition: PartitionId) -> QueryBuilder<Db> {
    let mut statement =
        QueryBuilder::<Db>::new("SELECT id, text, own_key FROM memories WHERE partition_id = ");
    statement.push_bind(partition.0).push(" AND ").push(column).push(" IN (");
    statement
}
