//! Thinking: what a language model or a rule derives from memories. One folder per mechanism; each is a pure step plus one
//! kind of job.

pub mod tim;
