//! Registry of the job handlers of a process, by kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::JobHandler;

/// Handlers, one for each kind of job that this process can do.
#[derive(Clone, Debug, Default)]
pub struct JobRegistry {
    handlers: BTreeMap<&'static str, Arc<dyn JobHandler>>,
}

impl JobRegistry {
    /// Adds a handler; it replaces an earlier one of its kind.
    #[must_use]
    pub fn with(mut self, handler: Arc<dyn JobHandler>) -> Self {
        self.handlers.insert(handler.kind(), handler);
        self
    }

    /// The kinds that have a handler, in order.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.handlers.keys().copied()
    }

    /// The handlers, in the order of their kinds.
    pub(super) fn handlers(&self) -> impl Iterator<Item = &Arc<dyn JobHandler>> {
        self.handlers.values()
    }
}
