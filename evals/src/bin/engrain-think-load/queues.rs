//! Queues of thinking, as `GET /v1/jobs` shows them.

use std::time::Duration;

use engrain::client::JobQuery;
use engrain::wire::JobState;
use engrain::{Client, Error};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// True if no job waits or runs. The waiting ones are looked at twice, since a job that ends may have created one.
pub(crate) async fn are_empty(client: &Client) -> Result<bool, Error> {
    for state in [JobState::Waiting, JobState::Running, JobState::Waiting] {
        if count(client, state, 1).await? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns when no job waits or runs.
pub(crate) async fn wait_until_empty(client: &Client) -> Result<(), Error> {
    while !are_empty(client).await? {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Number of failed jobs, counted up to 1,000.
pub(crate) async fn failed(client: &Client) -> Result<usize, Error> {
    count(client, JobState::Failed, 1_000).await
}

async fn count(client: &Client, state: JobState, limit: u32) -> Result<usize, Error> {
    let query = JobQuery { state: Some(state), limit: Some(limit), ..JobQuery::default() };
    Ok(client.jobs(&query).await?.jobs.len())
}
