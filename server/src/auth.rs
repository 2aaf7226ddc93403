//! Who asks. Until keys exist there is one tenant, and whoever reaches the server may do everything in it.
//!
//! Two things stand in for keys. The server refuses to listen beyond this machine unless the configuration says
//! `allow_remote_without_keys` (see [`crate::config`]), and while it listens on this machine only, it answers to local
//! names only: a web page that points a name of its own at 127.0.0.1 (DNS rebinding) must not read memories.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use memory_core::domain::id::{CallerId, TenantId};
use memory_core::domain::scope::{Caller, Rights};

use crate::App;
use crate::problem::{Code, Problem};

/// The caller of a request.
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

/// Whether `host` (with or without a port) cannot be a name that someone else's DNS resolves.
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
    fn names_of_others_are_not_local() {
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
