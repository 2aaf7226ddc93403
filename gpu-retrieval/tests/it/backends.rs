//! Every back end against the one contract.

#![expect(clippy::unwrap_used, reason = "a test stops where something is wrong")]

use crate::backend_contract::backend_contract;

backend_contract!(cpu, |dims| gpu_retrieval::Rows::new(dims).unwrap());
