//! Tests of the API, from the request to the answer.
#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod openapi;
mod refusals;
mod story;
mod support;
