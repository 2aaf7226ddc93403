//! Identities of erased items, kept as keyed digests: what was erased does not come back with the next import of its
//! file. A digest says nothing about the item to anybody without the key of the store.
//!
//! They are kept by a digest of the owner, not by its partition: that goes with the owner's last memory, and the next import
//! would make another one. They go when the owner is erased.

use std::collections::HashSet;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::bulk::{IDS_PER_STATEMENT, insert_missing};
use super::rows::{self, Reader, TURN_COLUMN_COUNT, TURN_COLUMNS};
use super::write_transaction::WriteTransaction;
use super::{Connection, Db, StoreError, unavailable};
use crate::domain::change::ChangeSet;
use crate::domain::id::{MemoryId, PartitionId};
use crate::domain::keyed_digest::KeyedDigest;
use crate::domain::name::Name;
use crate::domain::scope::Owner;
use crate::domain::turn::Turn;

/// Keyed digest of an identity.
pub(super) type Digest = [u8; 32];

/// Digest of the owner of a set.
pub(super) fn of_owner(digests: &KeyedDigest, set: &ChangeSet) -> Digest {
    let Owner { kind, id } = &set.owner;
    digests.digest(
        "owner of erased items",
        &[set.tenant.0.as_bytes(), kind.as_str().as_bytes(), id.as_str().as_bytes()],
    )
}

/// Digest of a memory's own key, or of its id.
pub(super) fn of_memory_key(digests: &KeyedDigest, key: &str) -> Digest {
    digests.digest("erased memory", &[key.as_bytes()])
}

/// Digest by which a turn that is sent would have been erased; `None` for a turn without identity.
pub(super) fn of_turn(digests: &KeyedDigest, session: &Name, turn: &Turn) -> Option<Digest> {
    match (&turn.key, turn.position) {
        (Some(key), _) => Some(of_turn_key(digests, session, key)),
        (None, Some(position)) => Some(of_content(digests, (session, position), turn, turn.has_own_time())),
        (None, None) => None,
    }
}

/// Digests of all identities under which a stored turn may be sent again: its key, or else its content at its position,
/// with or without its time. A turn that has neither comes back only with an archive, by its id: no trace of its content
/// is kept, which could be guessed by whoever has the key of the store.
pub(super) fn traces_of_turn(digests: &KeyedDigest, session: &Name, turn: &Turn) -> Vec<Digest> {
    match (&turn.key, turn.position) {
        (Some(key), _) => vec![of_turn_key(digests, session, key)],
        (None, Some(position)) => {
            let with_time = |with_time| of_content(digests, (session, position), turn, with_time);
            [true, false].map(with_time).to_vec()
        }
        (None, None) => vec![of_id(digests, turn.id.0)],
    }
}

/// Digest of the id of a turn, or of a memory that belongs to none.
pub(super) fn of_id(digests: &KeyedDigest, id: Uuid) -> Digest {
    of_memory_key(digests, &id.to_string())
}

fn of_turn_key(digests: &KeyedDigest, session: &Name, key: &Name) -> Digest {
    digests.digest("erased turn, by key", &[session.as_str().as_bytes(), key.as_str().as_bytes()])
}

fn of_content(
    digests: &KeyedDigest,
    (session, position): (&Name, u32),
    turn: &Turn,
    with_time: bool,
) -> Digest {
    let author = turn.author.as_ref().map_or("", Name::as_str);
    let said_at = turn.said_at.as_micros().to_be_bytes();
    digests.digest(
        "erased turn, by content",
        &[
            session.as_str().as_bytes(),
            &position.to_be_bytes(),
            turn.role.as_str().as_bytes(),
            author.as_bytes(),
            turn.text.as_bytes(),
            if with_time { &said_at } else { &[] },
        ],
    )
}

/// Those of some digests whose items were erased, of the owner with this digest.
pub(super) async fn erased_among(
    from: &mut Connection,
    owner: &Digest,
    wanted: impl Iterator<Item = Digest>,
) -> Result<HashSet<Digest>, StoreError> {
    let wanted: Vec<Digest> = wanted.collect();
    let mut erased = HashSet::new();
    for some in wanted.chunks(IDS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("SELECT digest FROM erased_identities WHERE owner = ");
        statement.push_bind(owner.to_vec()).push(" AND digest IN (");
        let filler = some.iter().cycle().skip(some.len()).take(some.len().next_power_of_two() - some.len());
        let mut list = statement.separated(", ");
        for digest in some.iter().chain(filler) {
            list.push_bind(digest.to_vec());
        }
        list.push_unseparated(")");
        for row in statement.build().fetch_all(&mut *from).await.map_err(unavailable)? {
            let digest: Vec<u8> = Reader { row: &row, table: "erased_identities" }.get(0, "digest")?;
            erased.extend(Digest::try_from(digest));
        }
    }
    Ok(erased)
}

impl WriteTransaction<'_, '_> {
    /// Keeps the identities of a memory that is about to be erased, and of its turn.
    pub(super) async fn remember_erased(
        &mut self,
        partition: PartitionId,
        owner: &Digest,
        id: MemoryId,
    ) -> Result<(), StoreError> {
        let row: Option<(Option<Uuid>, Option<String>)> =
            sqlx::query_as("SELECT turn_id, own_key FROM memories WHERE partition_id = $1 AND id = $2")
                .bind(partition.0)
                .bind(id.0)
                .fetch_optional(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        let Some((turn, key)) = row else { return Ok(()) };
        let mut traces: Vec<Digest> = key.map(|key| of_memory_key(self.digests, &key)).into_iter().collect();
        if let Some(turn) = turn {
            let mut statement = QueryBuilder::<Db>::new("SELECT ");
            statement.push(TURN_COLUMNS);
            statement.push(", (SELECT s.key FROM sessions s WHERE s.id = turns.session_id) FROM turns");
            statement
                .push(" WHERE partition_id = ")
                .push_bind(partition.0)
                .push(" AND id = ")
                .push_bind(turn);
            let row = statement.build().fetch_optional(&mut *self.connection).await.map_err(unavailable)?;
            if let Some(row) = row {
                let session = Reader { row: &row, table: "turns" }.name(TURN_COLUMN_COUNT, "session")?;
                let turn = rows::turn(&row)?;
                traces
                    .extend(session.iter().flat_map(|session| traces_of_turn(self.digests, session, &turn)));
            }
        } else {
            traces.push(of_id(self.digests, id.0));
        }
        let head = "INSERT INTO erased_identities (owner, digest) ";
        insert_missing(&mut *self.connection, head, &traces, &|values, digest| {
            values.push_bind(owner.to_vec()).push_bind(digest.to_vec());
        })
        .await
    }

    /// Forgets that items were erased.
    pub(super) async fn forget_erased(
        &mut self,
        set: &ChangeSet,
        digests: &[Digest],
    ) -> Result<(), StoreError> {
        let owner = of_owner(self.digests, set);
        for digest in digests {
            sqlx::query("DELETE FROM erased_identities WHERE owner = $1 AND digest = $2")
                .bind(&owner[..])
                .bind(&digest[..])
                .execute(&mut *self.connection)
                .await
                .map_err(unavailable)?;
        }
        Ok(())
    }

    /// Forgets all items of the set's owner that were erased.
    pub(super) async fn forget_erased_of_owner(&mut self, set: &ChangeSet) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM erased_identities WHERE owner = $1")
            .bind(&of_owner(self.digests, set)[..])
            .execute(&mut *self.connection)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}
