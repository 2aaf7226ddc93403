//! Tables that the first recall of a process would wait for: vocabulary of tokens, function words.

/// Builds the tables in the background.
pub(crate) fn build_in_background() {
    tokio::task::spawn_blocking(crate::text::load_tables);
}
