//! Extractors of request parts: JSON body, query string, path ids, idempotency key.
//!
//! They replace axum's own, whose rejections are plain text. Every rejection here is a [`Problem`] with a stable code
//! and, where one field is invalid, its path. Reading is bounded in bytes and time before anything is parsed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use memory_core::domain::change::{Idempotency, Operation};
use memory_core::domain::name::Name;
use memory_core::domain::scope::Caller;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path as FieldPath, Segment};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::App;
use crate::problem::{Code, Problem};

/// JSON body of a request.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let limits = &app.config().limits;
        let (head, body) = request.into_parts();
        check_content_type(&head.headers)?;
        let bytes = read(&head.headers, body, limits.body_bytes, limits.body_timeout()).await?;
        parse(&bytes).map(JsonBody)
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

/// Reads a body of at most `limit` bytes within `time_out`.
async fn read(headers: &HeaderMap, body: Body, limit: usize, time_out: Duration) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(Code::BodyTooLarge, format!("the body must be at most {limit} bytes long"));
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large()); // nothing of it is read
    }
    match tokio::time::timeout(time_out, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::MalformedJson, "the body broke off")),
        Err(_) => {
            let detail = format!("the body must arrive within {} ms", time_out.as_millis());
            Err(Problem::new(Code::BodyTimedOut, detail))
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.any(|cause| cause.to_string().contains("length limit exceeded"))
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

/// Parses a request from JSON.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(Code::MalformedJson, "the body is empty"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let request = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().clone();
        let error = error.into_inner();
        let message = error.to_string();
        if message.starts_with("number out of range") {
            // The JSON is valid; the number is out of range for every field.
            Problem::at(Code::InvalidRequest, dotted(&path, None), "the number is out of range")
        } else if error.is_data() {
            refused(&path, &message)
        } else {
            malformed(&error)
        }
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(request)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::MalformedJson, error.to_string())
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let reader = serde_urlencoded::Deserializer::new(form_pairs(query));
    serde_path_to_error::deserialize(reader)
        .map_err(|error| refused(&error.path().clone(), &error.into_inner().to_string()))
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// Derives code and field from serde's message, whose wording is the same for every format.
fn refused(path: &FieldPath, message: &str) -> Problem {
    // The position in the JSON text is dropped: the client program wrote fields, not lines.
    let message = message.split(" at line ").next().unwrap_or(message);
    let named = |prefix: &str| message.strip_prefix(prefix)?.split('`').next();
    if let Some(name) = named("missing field `") {
        let detail = format!("`{name}` is missing");
        return Problem::at(Code::MissingField, dotted(path, Some(name)), detail);
    }
    if let Some(name) = named("unknown field `") {
        let ends_with_it = matches!(path.iter().next_back(), Some(Segment::Map { key }) if key == name);
        let field = dotted(path, (!ends_with_it).then_some(name));
        return Problem::at(Code::UnknownField, field, message);
    }
    if let Some(name) = named("duplicate field `") {
        return Problem::at(Code::WrongType, dotted(path, Some(name)), message);
    }
    Problem::at(Code::WrongType, dotted(path, None), message)
}

/// Path such as `turns[3].said_at`, extended by `last`.
fn dotted(path: &FieldPath, last: Option<&str>) -> String {
    let mut text = String::new();
    let push_name = |text: &mut String, name: &str| {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(name);
    };
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } => push_name(&mut text, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    if let Some(name) = last {
        push_name(&mut text, name);
    }
    if text.is_empty() { "body".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use engrain::wire;

    use memory_core::domain::id::{CallerId, TenantId};
    use memory_core::domain::scope::Rights;

    use super::*;

    fn problem_of<T: DeserializeOwned + std::fmt::Debug>(body: &str) -> (Code, String) {
        let problem = parse::<T>(body.as_bytes()).expect_err(body);
        (problem.code, problem.field.unwrap_or_default())
    }

    #[test]
    fn an_invalid_body_is_refused_with_code_and_field() {
        let turn = |inside: &str| format!(r#"{{"scope":{{"user_id":"u"}},"turns":[{{{inside}}}]}}"#);
        let cases = [
            (String::new(), Code::MalformedJson, ""),
            ("{".to_owned(), Code::MalformedJson, ""),
            (r#"{"scope":{},"turns":[]} x"#.to_owned(), Code::MalformedJson, ""),
            (turn(r#""role":"user","text":NaN"#), Code::MalformedJson, ""),
            (
                turn(r#""role":"user","text":"a","importance":1e999"#),
                Code::InvalidRequest,
                "turns[0].importance",
            ),
            (turn("\"role\":\"user\",\"text\":\"\u{0}\""), Code::MalformedJson, ""),
            (turn(r#""role":"user","text":"\ud800""#), Code::MalformedJson, ""),
            ("[]".to_owned(), Code::WrongType, "body"),
            ("7".to_owned(), Code::WrongType, "body"),
            ("{}".to_owned(), Code::MissingField, "scope"),
            (r#"{"scope":{"user":"u"},"turns":[]}"#.to_owned(), Code::UnknownField, "scope.user"),
            (r#"{"scope":{},"turns":{}}"#.to_owned(), Code::WrongType, "turns"),
            (turn(r#""text":"a""#), Code::MissingField, "turns[0].role"),
            (turn(r#""role":"robot","text":"a""#), Code::WrongType, "turns[0].role"),
            (turn(r#""role":"user","text":7"#), Code::WrongType, "turns[0].text"),
            (turn(r#""role":"user","text":"a","when":"now""#), Code::UnknownField, "turns[0].when"),
            (turn(r#""role":"user","text":"a","tags":["x",7]"#), Code::WrongType, "turns[0].tags[1]"),
            (turn(r#""role":"user","text":"a","text":"b""#), Code::WrongType, "turns[0].text"),
        ];
        for (body, code, field) in cases {
            let found = problem_of::<wire::AddTurns>(&body);
            assert_eq!((found.0, found.1.as_str()), (code, field), "{body}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_recursing_into_it() {
        let deep = format!(r#"{{"scope":{{}},"query":"q","filter":{}"#, r#"{"not":"#.repeat(100_000));
        assert_eq!(problem_of::<wire::RecallRequest>(&deep).0, Code::MalformedJson);
    }

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
