//! Tests of the API, from the request to the answer.
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod archive_settings;
mod bare_dates;
mod digests;
mod erasure;
mod forgetting;
mod grants;
mod graph;
mod jobs;
mod numbers;
mod objects;
mod openapi;
mod recall_results;
mod refusals;
mod repetition;
mod story;
mod support;
mod texts_and_names;
mod thinking;
mod timezone;
mod undo;
mod uses;
mod vectors_later;
mod web_pages;
mod working_memory;
