//! Operations on grants: read access of one principal to chosen memories of another.

use reqwest::Method;
use uuid::Uuid;

use super::pages::scoped;
use super::transport::Request;
use super::{Client, Error};
use crate::wire::{Grant, GrantDirection, GrantEventList, GrantList, Scope};

/// Query of [`Client::grants`]. Default: the open grants that the owner has given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantQuery {
    /// Giver or grantee, by exactly one id.
    pub scope: Scope,
    /// Direction.
    pub direction: GrantDirection,
    /// True to list ended grants too.
    pub all: bool,
    /// Maximum number of grants on the page. Default: the server's.
    pub limit: Option<u32>,
    /// Cursor of the page: the `next_cursor` of the previous page. Default: the first page.
    pub cursor: Option<String>,
}

/// Operations on grants. Errors are those of the other operations. [`Client::give_grant`] is beside the other writes.
impl Client {
    /// Returns a page of the grants that an owner has given or received.
    pub async fn grants(&self, query: &GrantQuery) -> Result<GrantList, Error> {
        let request = scoped(Request::get("v1/grants"), &query.scope)
            .query("direction", Some(query.direction.as_str()))
            .query("all", query.all.then_some("true"))
            .query("limit", query.limit)
            .query("cursor", query.cursor.as_deref());
        self.json(request).await
    }

    /// Returns a grant.
    pub async fn grant(&self, id: Uuid) -> Result<Grant, Error> {
        self.json(Request::get(format!("v1/grants/{id}"))).await
    }

    /// Returns a page of the audit log of a grant, newest first: at most `limit` entries, from `cursor` on.
    pub async fn grant_events(
        &self,
        id: Uuid,
        limit: Option<u32>,
        cursor: Option<&str>,
    ) -> Result<GrantEventList, Error> {
        let request = Request::get(format!("v1/grants/{id}/events"));
        self.json(request.query("limit", limit).query("cursor", cursor)).await
    }

    /// Revokes a grant. When it returns, nobody reads anything through the grant. To revoke it again changes nothing.
    pub async fn revoke_grant(&self, id: Uuid) -> Result<Grant, Error> {
        self.json(Request::new(Method::DELETE, format!("v1/grants/{id}"))).await
    }
}
