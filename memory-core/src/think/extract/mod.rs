//! Extraction: turns → candidate facts. One way for each source of judgement: rules, or a language model.

pub mod rules;
