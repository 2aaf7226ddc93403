//! Authentication of requests. Without API keys there is one tenant, and every caller has all rights in it.
//!
//! Two measures replace keys. The server refuses to listen on an address that other machines can reach, unless the
//! configuration sets `allow_remote_without_keys` (see [`crate::config`]). And [`guard`] keeps out web pages, which run in
//! browsers that can reach the server:
//!
//! - `Host` must be an address, `localhost` or a configured name. A page that resolves its own name to this server (DNS
//!   rebinding) is of the same origin for the browser, but has its own name there.
//! - `Origin` and `Sec-Fetch-Site`, where a browser sends them, must be of this server or configured. A page can send
//!   requests to any server, though it cannot read the answers.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use memory_core::domain::id::{CallerId, TenantId};
use memory_core::domain::scope::{Caller, Rights};

use crate::App;
use crate::config::{HostPort, Origin, Server};
use crate::problem::{Code, Problem};

/// Caller of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(_head: &mut Parts, _app: &Arc<App>) -> Result<Self, Problem> {
        Ok(Self(Caller { tenant: TenantId::DEFAULT, id: CallerId::ANYONE, rights: Rights::ALL }))
    }
}

/// Relation of the page that caused a request to this server (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Layer of every route: refuses requests under a foreign name, and requests of foreign web pages.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match check(&app.config().server, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(server: &Server, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = host(uri, headers)?;
    if let Some(host) = &host
        && !is_probe(uri)
        && !host.is_out_of_reach_of_dns()
        && !server.allowed_hosts.iter().any(|allowed| allowed.covers(host))
    {
        return Err(wrong_host(
            "without API keys the server answers to localhost, addresses, and server.allowed_hosts",
        ));
    }
    let foreign = |field: &HeaderName| {
        let detail = "web pages of other origins may not use this server; see server.allowed_origins";
        Problem::at(Code::ForeignOrigin, field.as_str(), detail)
    };
    if let Some(text) = only(headers, &ORIGIN).map_err(|()| foreign(&ORIGIN))? {
        let origin = Origin::parse(text).map_err(|_| foreign(&ORIGIN))?;
        let is_known =
            host.is_some_and(|host| origin.is_of(&host)) || server.allowed_origins.contains(&origin);
        return if is_known { Ok(()) } else { Err(foreign(&ORIGIN)) };
    }
    // Without an origin: an image, a link, a form that reads.
    match only(headers, &SEC_FETCH_SITE).map_err(|()| foreign(&SEC_FETCH_SITE))? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if method == Method::GET && is_documentation(uri) => Ok(()),
        Some(_) => Err(foreign(&SEC_FETCH_SITE)),
    }
}

/// Host that the request names. In the absolute form of a request, the URI names it, too.
fn host(uri: &Uri, headers: &HeaderMap) -> Result<Option<HostPort>, Problem> {
    let parse = |text: &str| HostPort::parse(text).map_err(|error| wrong_host(&error.to_string()));
    let header = only(headers, &HOST).map_err(|()| wrong_host("must be given once, in ASCII"))?;
    let header = header.map(parse).transpose()?;
    let target = uri.authority().map(|authority| parse(authority.as_str())).transpose()?;
    match (header, target) {
        (Some(header), Some(target)) if header != target => {
            Err(wrong_host("differs from the host of the URI"))
        }
        (header, target) => Ok(target.or(header)),
    }
}

fn wrong_host(detail: &str) -> Problem {
    Problem::at(Code::WrongHost, "Host", detail)
}

/// The only value of a header; an error for several values, and for one that is not visible ASCII.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// Routes that a probe asks under any name, without memories.
fn is_probe(uri: &Uri) -> bool {
    matches!(uri.path(), "/health" | "/ready")
}

/// Routes without data, to which other pages may link.
fn is_documentation(uri: &Uri) -> bool {
    uri.path() == "/openapi.json" || uri.path() == "/docs" || uri.path().starts_with("/docs/")
}
