//! Appending of turns to a session, those aside that were sent before.

use super::StoreError;
use super::identities::Recognised;
use super::write_transaction::WriteTransaction;
use crate::domain::change::{Appended, ChangeSet, CreatedIds, NewTurns};
use crate::domain::id::PartitionId;
use crate::store::ChangeOp;

impl<'a> WriteTransaction<'_, 'a> {
    /// Appends the new ones of some turns to their session. `None` if none is new.
    pub(super) async fn append(
        &mut self,
        partition: PartitionId,
        set: &'a ChangeSet,
        new: &'a NewTurns,
        recognised: &Recognised,
        created: &mut CreatedIds,
    ) -> Result<Option<Appended>, StoreError> {
        let is_new = |(index, _): &(usize, _)| recognised.is_to_write(*index);
        let Some((_, (first, _))) = new.turns.iter().enumerate().find(is_new) else {
            created.turns.extend(recognised.turns());
            created.memories.extend((0..new.turns.len()).filter_map(|index| recognised.memory(index)));
            return Ok(None);
        };
        let (session, session_ordinal, first_seq) =
            self.session(partition, set.now, new, first.said_at).await?;
        let mut count = 0_u32;
        for (index, (turn, memory)) in new.turns.iter().enumerate() {
            if !recognised.is_to_write(index) {
                created.turns.extend(recognised.turn(index));
                created.memories.extend(recognised.memory(index));
                continue;
            }
            self.inserts.turn(partition, session, first_seq.saturating_add(count), turn);
            count = count.saturating_add(1);
            let redirected = self.redirected(&memory.memory);
            self.inserts.memory(partition, redirected, memory);
            let seq = self.log(partition, ChangeOp::Put, &memory.memory, set.now);
            for mechanism in &set.queue_for {
                self.inserts.queued(partition, mechanism, seq, memory.memory.id);
            }
            created.turns.push(turn.id);
            created.memories.push(memory.memory.id);
        }
        self.counters.add_turns(session, first_seq, count);
        self.ask_for_full_session(partition, set, (session, first_seq, count));
        self.counters.of(partition).memory_count += u64::from(count);
        created.session = Some(session);
        Ok(Some(Appended { session, session_ordinal, first_seq }))
    }
}
