//! Pins: a pinned memory is never forgotten.

use crate::domain::change::{ChangeSet, Pin};
use crate::domain::id::MemoryId;
use crate::domain::scope::Caller;
use crate::engine::{Engine, needs_write};
use crate::error::Error;

impl Engine {
    /// Pins a memory, or releases it. Pinning restores a forgotten one at once. It makes no version; the same again changes
    /// nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such memory; [`Error`] when the caller lacks the right to write, or the store fails.
    pub async fn pin(&self, caller: &Caller, memory: MemoryId, pinned: bool) -> Result<(), Error> {
        needs_write(caller)?;
        let owner = self.store.owner_of_memory(caller.tenant, memory).await?;
        let owner = owner.ok_or_else(|| Error::NotFound { what: "memory", id: memory.to_string() })?;
        let mut set = ChangeSet::new(caller.tenant, owner, self.now());
        set.pins = vec![Pin { memory, pinned }];
        if pinned {
            set.rememberings = vec![memory];
        }
        self.commits.commit(set).await.map(|_| ())
    }
}
