//! Paginated lists, by page or as streams that fetch the next page on demand. A stream holds at most one page, and
//! ends with an error if a server's cursor does not advance.

use std::collections::VecDeque;

use futures::Stream;
use futures::stream::try_unfold;
use uuid::Uuid;

use super::transport::Request;
use super::{Client, Error};
use crate::wire::{
    Job, JobPage, JobState, ListMemories, Memory, OwnerPage, OwnerSummary, Scope, Session, SessionPage, Turn,
    TurnPage,
};

/// Query of [`Client::sessions`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// Scope that owns the sessions.
    pub scope: Scope,
    /// Maximum number of sessions on the page. Default: the server's.
    pub limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    pub cursor: Option<String>,
}

/// Query of [`Client::jobs`]. Default: all jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// State of the jobs to list. Default: any.
    pub state: Option<JobState>,
    /// Kind of the jobs to list. Default: any.
    pub kind: Option<String>,
    /// Maximum number of jobs on the page. Default: the server's.
    pub limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    pub cursor: Option<String>,
}

impl Client {
    /// Streams all memories that `request` lists, from its cursor on.
    pub fn all_memories(&self, request: ListMemories) -> impl Stream<Item = Result<Memory, Error>> + use<> {
        let client = self.clone();
        all("POST /v1/memories/list", request.cursor.clone(), move |cursor| {
            let (client, request) = (client.clone(), ListMemories { cursor, ..request.clone() });
            async move { client.list_memories(&request).await.map(|page| (page.memories, page.next_cursor)) }
        })
    }

    /// Streams all versions of a memory, oldest first; the last is the current one.
    pub fn all_versions(&self, id: Uuid) -> impl Stream<Item = Result<Memory, Error>> + use<> {
        let client = self.clone();
        all("GET /v1/memories/{id}/history", None, move |cursor| {
            let client = client.clone();
            async move {
                client
                    .history_page(id, None, cursor.as_deref())
                    .await
                    .map(|page| (page.versions, page.next_cursor))
            }
        })
    }

    /// Returns a page of a scope's sessions, in the order of their creation.
    pub async fn sessions(&self, query: &SessionQuery) -> Result<SessionPage, Error> {
        let request = Request::get("v1/sessions").query("limit", query.limit);
        self.json(scoped(request, &query.scope).query("cursor", query.cursor.as_ref())).await
    }

    /// Streams all sessions of a scope, from the query's cursor on.
    pub fn all_sessions(&self, query: SessionQuery) -> impl Stream<Item = Result<Session, Error>> + use<> {
        let client = self.clone();
        all("GET /v1/sessions", query.cursor.clone(), move |cursor| {
            let (client, query) = (client.clone(), SessionQuery { cursor, ..query.clone() });
            async move { client.sessions(&query).await.map(|page| (page.sessions, page.next_cursor)) }
        })
    }

    /// Returns a page of a session's turns in order: at most `limit`, from `cursor` on.
    pub async fn turns(
        &self,
        session_id: Uuid,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<TurnPage, Error> {
        let request = Request::get(format!("v1/sessions/{session_id}/turns"));
        self.json(request.query("limit", limit).query("cursor", cursor)).await
    }

    /// Streams all turns of a session.
    pub fn all_turns(&self, session_id: Uuid) -> impl Stream<Item = Result<Turn, Error>> + use<> {
        let client = self.clone();
        all("GET /v1/sessions/{id}/turns", None, move |cursor| {
            let client = client.clone();
            async move {
                let page = client.turns(session_id, None, cursor.as_deref()).await?;
                Ok((page.turns, page.next_cursor))
            }
        })
    }

    /// Returns a page of background jobs, newest first.
    pub async fn jobs(&self, query: &JobQuery) -> Result<JobPage, Error> {
        let request = Request::get("v1/jobs").query("state", query.state.map(JobState::as_str));
        let request = request.query("kind", query.kind.as_ref()).query("limit", query.limit);
        self.json(request.query("cursor", query.cursor.as_ref())).await
    }

    /// Streams all background jobs that `query` lists, from its cursor on.
    pub fn all_jobs(&self, query: JobQuery) -> impl Stream<Item = Result<Job, Error>> + use<> {
        let client = self.clone();
        all("GET /v1/jobs", query.cursor.clone(), move |cursor| {
            let (client, query) = (client.clone(), JobQuery { cursor, ..query.clone() });
            async move { client.jobs(&query).await.map(|page| (page.jobs, page.next_cursor)) }
        })
    }

    /// Returns a page of the owners of memories: at most `limit`, from `cursor` on.
    pub async fn owners(&self, limit: Option<u32>, cursor: Option<&str>) -> Result<OwnerPage, Error> {
        self.json(Request::get("v1/owners").query("limit", limit).query("cursor", cursor)).await
    }

    /// Streams all owners of memories.
    pub fn all_owners(&self) -> impl Stream<Item = Result<OwnerSummary, Error>> + use<> {
        let client = self.clone();
        all("GET /v1/owners", None, move |cursor| {
            let client = client.clone();
            async move {
                let page = client.owners(None, cursor.as_deref()).await?;
                Ok((page.owners, page.next_cursor))
            }
        })
    }
}

/// Adds the ids of a scope to the query string of `request`.
pub(super) fn scoped(request: Request, scope: &Scope) -> Request {
    request
        .query("user_id", scope.user_id.as_ref())
        .query("agent_id", scope.agent_id.as_ref())
        .query("app_id", scope.app_id.as_ref())
        .query("run_id", scope.run_id.as_ref())
}

/// Rest of the current page, and cursor of the next one.
struct Pages<T> {
    page: VecDeque<T>,
    next: Next,
}

enum Next {
    Cursor(Option<String>),
    End,
}

/// Stream of the items of all pages of `fetch`, from `cursor` on.
fn all<T, F, A>(
    operation: &'static str,
    cursor: Option<String>,
    fetch: F,
) -> impl Stream<Item = Result<T, Error>>
where
    F: FnMut(Option<String>) -> A,
    A: Future<Output = Result<(Vec<T>, Option<String>), Error>>,
{
    let start = (Pages { page: VecDeque::new(), next: Next::Cursor(cursor) }, fetch);
    try_unfold(start, move |(mut pages, mut fetch)| async move {
        loop {
            if let Some(item) = pages.page.pop_front() {
                return Ok(Some((item, (pages, fetch))));
            }
            let Next::Cursor(cursor) = pages.next else { return Ok(None) };
            let (items, next) = fetch(cursor.clone()).await?;
            if next.is_some() && next == cursor {
                let detail = "the next page is the same page".to_owned();
                return Err(Error::CutShort { operation: operation.to_owned(), detail });
            }
            pages = Pages {
                page: items.into(),
                next: next.map_or(Next::End, |cursor| Next::Cursor(Some(cursor))),
            };
        }
    })
}
