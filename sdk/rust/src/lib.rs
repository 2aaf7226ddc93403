//! Client of [Engrain](https://github.com/engrain/engrain), the long-term memory service for LLM agents and chatbots.
//!
//! ```no_run
//! use engrain::Client;
//! use engrain::wire::{AddTurns, NewTurn, RecallRequest, Role, Scope};
//!
//! # async fn example() -> Result<(), engrain::Error> {
//! let engrain = Client::new("http://127.0.0.1:7070")?;
//! let scope = Scope::user("mara");
//!
//! // Turns are stored verbatim and searchable when the call returns.
//! let turns = vec![
//!     NewTurn::new(Role::User, "I moved to Lisbon last week, into a flat near the river."),
//!     NewTurn::new(Role::Assistant, "How lovely! Have you found a bakery yet?"),
//! ];
//! let conversation = AddTurns { scope: scope.clone(), session: Some("tuesday".into()), turns, ..AddTurns::default() };
//! engrain.add_turns(&conversation).await?;
//!
//! // The response has a context block for an LLM prompt, within a token budget, and its memories.
//! let request = RecallRequest { scope, query: "Where does she live?".into(), ..RecallRequest::default() };
//! let recalled = engrain.recall(&request).await?;
//! println!("{}", recalled.context.text);
//! # Ok(())
//! # }
//! ```
//!
//! - [`wire`] has every request and response type of the API: the server serialises them, the client reads them, and
//!   the OpenAPI document is generated from them.
//! - [`client`] (feature `client`, on by default; `https` with the feature `tls`, also on by default) has a method for
//!   every operation. A retry never repeats a write.
//! - `formats` (feature `formats`) reads conversation files of other programs for import.

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "formats")]
pub mod formats;
pub mod wire;

#[cfg(feature = "client")]
pub use client::{Client, Error, GrantQuery};
