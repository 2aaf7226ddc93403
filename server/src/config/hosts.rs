//! Hosts and origins, as the headers `Host` and `Origin` and the configuration name them.
//!
//! Host: RFC 9110, section 7.2. Origin: RFC 6454, section 6.2. Both are parsed whole: nothing may follow a port or the
//! bracket of an IPv6 address.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Maximum length of a host name (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;

/// Host with an optional port, such as `engrain.internal`, `127.0.0.1:7070` or `[::1]:7070`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    host: HostName,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostName {
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

/// Text that is not a host with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a host name or an address, with a port if need be: engrain.internal, 10.0.0.2:7070, [::1]:7070"
)]
pub struct BadHost;

/// Text that is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an origin without a path, such as https://engrain.example")]
pub struct BadOrigin;

impl HostPort {
    /// Host of a `Host` header.
    ///
    /// # Errors
    /// [`BadHost`] for anything but a name or an address with an optional port.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(BadHost)?;
            let address: Ipv6Addr = address.parse().map_err(|_| BadHost)?;
            return Ok(Self { host: HostName::Address(address.into()), port: port_of(port)? });
        }
        let (name, port) = text.find(':').map_or((text, ""), |colon| text.split_at(colon));
        let host = match name.parse::<IpAddr>() {
            Ok(address) => HostName::Address(address),
            Err(_) if is_name(name) => HostName::Name(name.to_ascii_lowercase()),
            Err(_) => return Err(BadHost),
        };
        Ok(Self { host, port: port_of(port)? })
    }

    /// True if no foreign DNS zone can define the host: an address, or `localhost`.
    pub fn is_out_of_reach_of_dns(&self) -> bool {
        match &self.host {
            HostName::Address(_) => true,
            HostName::Name(name) => name == "localhost",
        }
    }

    /// True if this entry of a list covers `found`: the same host, and the same port unless the entry has none.
    pub fn covers(&self, found: &Self) -> bool {
        self.host == found.host && (self.port.is_none() || self.port == found.port)
    }
}

/// Port of `:7070`; none for an empty text.
fn port_of(text: &str) -> Result<Option<u16>, BadHost> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() { Ok(None) } else { Err(BadHost) };
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadHost); // `parse` takes a sign
    }
    digits.parse().map(Some).map_err(|_| BadHost)
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_allowed)
}

impl TryFrom<String> for HostPort {
    type Error = BadHost;

    fn try_from(text: String) -> Result<Self, BadHost> {
        Self::parse(&text)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostName::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            HostName::Address(address) => write!(f, "{address}")?,
            HostName::Name(name) => f.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl From<HostPort> for String {
    fn from(host: HostPort) -> Self {
        host.to_string()
    }
}

/// Origin of a web page: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    scheme: String,
    /// With its port, unless the scheme is unknown.
    host: HostPort,
}

impl Origin {
    /// Origin of an `Origin` header. `null`, the origin of documents without one, is none.
    ///
    /// # Errors
    /// [`BadOrigin`] for anything but a scheme, a host and an optional port.
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let (scheme, host) = text.split_once("://").ok_or(BadOrigin)?;
        if scheme.is_empty()
            || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return Err(BadOrigin);
        }
        let scheme = scheme.to_ascii_lowercase();
        let host = HostPort::parse(host).map_err(|_| BadOrigin)?;
        let port = host.port.or_else(|| default_port(&scheme));
        Ok(Self { host: HostPort { port, ..host }, scheme })
    }

    /// True if a request of a page of this origin to `host` is one to the page's own server.
    pub fn is_of(&self, host: &HostPort) -> bool {
        let port = host.port.or_else(|| default_port(&self.scheme));
        self.host.host == host.host && self.host.port == port
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl TryFrom<String> for Origin {
    type Error = BadOrigin;

    fn try_from(text: String) -> Result<Self, BadOrigin> {
        Self::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        format!("{}://{}", origin.scheme, origin.host)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn foreign_names_are_within_reach_of_dns() {
        let is_local = |text: &str| HostPort::parse(text).is_ok_and(|host| host.is_out_of_reach_of_dns());
        for host in ["localhost", "LOCALHOST:7070", "127.0.0.1:7070", "[::1]:7070", "[::1]", "192.168.1.2"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "evil.example:7070", "localhost.evil.example", "127.0.0.1.evil.example"]
        {
            assert!(!is_local(host), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_with_a_port_is_refused() {
        for host in [
            "",
            ":7070",
            "[::1].evil.example",
            "[::1]evil",
            "[::1",
            "::1",
            "[127.0.0.1]",
            "localhost:",
            "localhost:+80",
            "localhost:65536",
            "localhost:80:90",
            "evil.example@localhost",
            "localhost/x",
            "a b",
        ] {
            assert_eq!(HostPort::parse(host), Err(BadHost), "{host}");
        }
    }

    #[test]
    fn an_entry_without_a_port_covers_every_port() {
        let host = |text: &str| HostPort::parse(text).expect(text);
        assert!(
            host("engrain").covers(&host("Engrain:7070")) && host("engrain:1").covers(&host("engrain:1"))
        );
        assert!(
            !host("engrain:1").covers(&host("engrain")) && !host("engrain").covers(&host("engrain.example"))
        );
    }

    #[test]
    fn an_origin_is_of_a_host_with_its_name_and_port() {
        let is_of = |origin: &str, host: &str| {
            Origin::parse(origin).expect(origin).is_of(&HostPort::parse(host).expect(host))
        };
        assert!(is_of("http://127.0.0.1:7070", "127.0.0.1:7070") && is_of("https://A.example", "a.example"));
        assert!(is_of("http://[::1]:1", "[0:0::1]:1") && is_of("http://a.example", "a.example:80"));
        assert!(
            !is_of("http://127.0.0.1:8080", "127.0.0.1:7070") && !is_of("http://localhost:1", "127.0.0.1:1")
        );
        assert!(!is_of("http://a.example", "a.example:443"));
        for text in ["null", "", "a.example", "http://", "http://a/", "://a", "http://a@b"] {
            assert_eq!(Origin::parse(text), Err(BadOrigin), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_parsed_is_written_alike(text in "[\\[\\]:.a-z0-9/@]{0,24}") {
            if let Ok(host) = HostPort::parse(&text) {
                prop_assert_eq!(HostPort::parse(&host.to_string()), Ok(host));
            }
        }
    }
}
