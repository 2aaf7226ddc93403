//! Client of [Engrain](https://github.com/engrain/engrain), the long-term memory service for LLM agents and chatbots.
//!
//! [`wire`] holds every shape that crosses the network, and nothing else in the project does: the server serialises
//! these types, the client reads them, and the OpenAPI document is made of them.

pub mod wire;
