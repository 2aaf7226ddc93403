//! Every back end against the one contract.

use crate::backend_contract::backend_contract;

backend_contract!(cpu, |dims| gpu_retrieval::Rows::new(dims).unwrap());
