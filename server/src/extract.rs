//! Extractors of request parts: JSON body, query string, path ids, idempotency key.
//!
//! They replace axum's own, whose rejections are plain text. Every rejection here is a [`Problem`] with a stable code
//! and, where one field is invalid, its path. [`crate::bodies`] has read the body before.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use memory_core::domain::change::{Idempotency, Operation};
use memory_core::domain::name::Name;
use memory_core::domain::scope::Caller;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::App;
use crate::json::{parse, refused};
use crate::problem::{Code, Problem};

/// Length of a body up to which it is parsed on the thread of its connection, in bytes: less than a millisecond.
const PARSED_INLINE_BYTES: usize = 128 * 1024;

/// JSON body of a request.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        check_content_type(&head.headers)?;
        // Read by the layer of admission: nothing is waited for.
        let (bytes, _room) = app.bodies().read(&head.headers, body).await?;
        if bytes.len() <= PARSED_INLINE_BYTES {
            return parse(&bytes).map(JsonBody);
        }
        let parsed = tokio::task::spawn_blocking(move || parse(&bytes)).await;
        parsed.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "see the server's log"))).map(JsonBody)
    }
}

/// Query string of a request.
#[derive(Debug)]
pub(crate) struct QueryString<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parse_query(head.uri.query().unwrap_or_default()).map(QueryString)
    }
}

/// Parameter `{id}` of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathId(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_an_id = || Problem::at(Code::InvalidRequest, "id", "must be a UUID");
        let Path(text) = Path::<String>::from_request_parts(head, state).await.map_err(|_| not_an_id())?;
        Uuid::try_parse(&text).map(PathId).map_err(|_| not_an_id())
    }
}

/// Parameter `{key}` of the path: a name, decoded.
#[derive(Clone, Debug)]
pub(crate) struct PathKey(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathKey {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let not_a_text = |_| Problem::at(Code::InvalidRequest, "key", "must be percent-encoded UTF-8");
        let Path(text) = Path::<String>::from_request_parts(head, state).await.map_err(not_a_text)?;
        Ok(Self(text))
    }
}

/// `Idempotency-Key` header, if present.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey(Option<Name>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Problem> {
        const HEADER: &str = "Idempotency-Key";
        let Some(value) = head.headers.get(HEADER) else {
            return Ok(Self(None));
        };
        let refused = |detail: String| Problem::at(Code::InvalidRequest, HEADER, detail);
        let text = value.to_str().map_err(|_| refused("must be visible ASCII".to_owned()))?;
        Name::new(text).map(|key| Self(Some(key))).map_err(|error| refused(error.to_string()))
    }
}

impl IdempotencyKey {
    /// Key with a hash of the request. The hash covers the parsed request, so that a repetition may differ in white
    /// space and field order.
    pub(crate) fn of<T: Serialize>(
        self,
        caller: &Caller,
        operation: Operation,
        request: &T,
    ) -> Option<Idempotency> {
        self.0.map(|key| {
            let mut hash = Sha256::new();
            hash.update(operation.as_str().as_bytes());
            hash.update([0]);
            hash.update(serde_json::to_vec(request).unwrap_or_default());
            Idempotency { caller: caller.id, operation, key, request_hash: hash.finalize().into() }
        })
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let detail = "send JSON with the header `Content-Type: application/json`";
    Err(Problem::at(Code::UnsupportedMediaType, "Content-Type", detail))
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let reader = serde_urlencoded::Deserializer::new(form_pairs(query));
    serde_path_to_error::deserialize(reader)
        .map_err(|error| refused(&error.path().clone(), &error.into_inner().to_string()))
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

#[cfg(test)]
mod tests {
    use engrain::wire;

    use memory_core::domain::id::{CallerId, TenantId};
    use memory_core::domain::scope::Rights;

    use super::*;

    #[test]
    fn query_strings_are_read_strictly() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Page {
            limit: Option<u32>,
        }
        let read = |query: &str| parse_query::<Page>(query).map(|page| page.limit);
        assert_eq!(read("limit=7"), Ok(Some(7)));
        assert_eq!(read(""), Ok(None));
        let fault =
            |query: &str| read(query).map_err(|problem| (problem.code, problem.field)).expect_err(query);
        assert_eq!(fault("limit=x"), (Code::WrongType, Some("limit".to_owned())));
        assert_eq!(fault("limit=-1"), (Code::WrongType, Some("limit".to_owned())));
        assert_eq!(fault("limit=1&limit=2").0, Code::WrongType);
        assert_eq!(fault("page=2"), (Code::UnknownField, Some("page".to_owned())));
    }

    #[test]
    fn the_same_request_has_the_same_hash() {
        let caller = Caller { tenant: TenantId::DEFAULT, id: CallerId::ANYONE, rights: Rights::ALL };
        let hash = |body: &str, operation: Operation| {
            let request: wire::AddMemories = parse(body.as_bytes()).expect(body);
            let key = IdempotencyKey(Name::new("k").ok());
            key.of(&caller, operation, &request).map(|idempotency| idempotency.request_hash)
        };
        let first = hash(
            r#"{"scope":{"user_id":"u"},"memories":[{"text":"a","metadata":{"x":1,"y":2}}]}"#,
            Operation::AddMemories,
        );
        let again = hash(
            r#"{ "memories":[{"metadata":{"y":2,"x":1},"text":"a"}],"scope":{"user_id":"u"} }"#,
            Operation::AddMemories,
        );
        let other = hash(r#"{"scope":{"user_id":"u"},"memories":[{"text":"b"}]}"#, Operation::AddMemories);
        let elsewhere = hash(r#"{"scope":{"user_id":"u"},"memories":[{"text":"b"}]}"#, Operation::AddTurns);
        assert_eq!(first, again);
        assert!(first != other && other != elsewhere);
    }
}
