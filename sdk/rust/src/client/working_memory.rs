//! Operations on the working memory of a session.

use std::fmt::Write as _;

use super::pages::scoped;
use super::transport::Request;
use super::{Client, Error};
use crate::wire::{CloseSession, ClosedSession, Scope, WorkingMemory, WorkingMemoryQuery};

/// Operations on the working memory of a session. Errors are those of the other operations.
impl Client {
    /// Returns what a prompt needs of a session: its newest turns, what was recalled for it, its open threads and its digest.
    pub async fn working_memory(&self, query: &WorkingMemoryQuery) -> Result<WorkingMemory, Error> {
        let path = format!("v1/sessions/{}/working-memory", segment(&query.session));
        let request = scoped(Request::get(path), &query.scope)
            .query("budget_tokens", query.budget_tokens)
            .query("partner", query.partner.as_deref())
            .query("now", query.now.as_deref());
        self.json(request).await
    }

    /// Closes a session, and asks for its digest where the server makes digests. A new turn opens it again.
    pub async fn close_session(&self, scope: &Scope, session: &str) -> Result<ClosedSession, Error> {
        let body = CloseSession { scope: scope.clone() };
        self.json(Request::post(format!("v1/sessions/{}/close", segment(session)), &body)?).await
    }
}

/// Text as one segment of a path: all bytes but letters, digits and `-._~` are percent-encoded (RFC 3986).
fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_the_path() {
        assert_eq!(segment("2023-05-20"), "2023-05-20");
        assert_eq!(segment("a/b?c#d%2F é"), "a%2Fb%3Fc%23d%252F%20%C3%A9");
    }
}
