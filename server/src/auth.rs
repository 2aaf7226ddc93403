//! Authentication of requests. Without API keys there is one tenant, and every caller has all rights in it.
//!
//! Two measures replace keys. The server refuses to listen on an address that other machines can reach, unless the
//! configuration sets `allow_remote_without_keys` (see [`crate::config`]). While it listens on the loopback interface,
//! it accepts only local names in `Host`: a web page that resolves its own name to 127.0.0.1 (DNS rebinding) must not
//! read memories.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use memory_core::domain::id::{CallerId, TenantId};
use memory_core::domain::scope::{Caller, Rights};

use crate::App;
use crate::problem::{Code, Problem};

/// Caller of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let host = match head.headers.get(header::HOST) {
            Some(value) => value.to_str().ok(),
            None => head.uri.authority().map(|authority| authority.as_str()),
        };
        if !app.config().server.allow_remote_without_keys && !host.is_none_or(is_local) {
            let detail = "without API keys the server answers to localhost and IP addresses only";
            return Err(Problem::at(Code::WrongHost, "Host", detail));
        }
        Ok(Self(Caller { tenant: TenantId::DEFAULT, id: CallerId::ANYONE, rights: Rights::ALL }))
    }
}

/// True if `host` (with or without a port) is a name that no foreign DNS zone can define.
fn is_local(host: &str) -> bool {
    let without_port = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _port)| name),
    };
    without_port.eq_ignore_ascii_case("localhost") || without_port.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn foreign_host_names_are_not_local() {
        for host in ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "[::1]:7070", "192.168.1.2"] {
            assert!(is_local(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:7070", "localhost.evil.example", "127.0.0.1.evil.example", ""]
        {
            assert!(!is_local(host), "{host}");
        }
    }
}
