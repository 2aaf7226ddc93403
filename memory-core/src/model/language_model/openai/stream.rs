//! Server-sent events of a streamed completion, folded into one completion.
//!
//! Own line reader instead of a library's: lines, text and stream are bounded, and a line is never scanned twice.

use std::time::Duration;

use super::wire::{Answer, Completion};
use crate::model::language_model::REPLY_BYTES_AT_MOST;
use crate::model::openai_service::{Failure, broken, refusal};

/// Maximum length of a stream, in bytes: an event of a few hundred bytes for each token of the longest reply that is
/// of use.
const STREAM_BYTES_AT_MOST: usize = 32 << 20;
/// Status that an error within a stream has for the caller, if it tells none.
const ERROR_IN_STREAM: u16 = 500;

/// Reads a stream to its end, or to the first violation of a bound.
pub(super) async fn read(
    response: &mut reqwest::Response,
    idle: Duration,
    line_bytes_at_most: usize,
) -> Result<Completion, Failure> {
    let mut events = Events::new(line_bytes_at_most);
    let mut bytes = 0;
    loop {
        let chunk = tokio::time::timeout(idle, response.chunk()).await.map_err(|_| Failure::Idle(idle))?;
        let Some(chunk) = chunk.map_err(broken)? else { break };
        bytes += chunk.len();
        if bytes > STREAM_BYTES_AT_MOST {
            return Err(Failure::TooLong(STREAM_BYTES_AT_MOST));
        }
        events.take(&chunk)?;
        if events.is_done {
            break;
        }
    }
    events.end()
}

/// Events so far.
struct Events {
    whole: Completion,
    has_choice: bool,
    is_done: bool,
    /// Beginning of a line without its end.
    line: Vec<u8>,
    line_bytes_at_most: usize,
}

impl Events {
    fn new(line_bytes_at_most: usize) -> Self {
        let whole = Completion::default();
        Self { whole, has_choice: false, is_done: false, line: Vec::new(), line_bytes_at_most }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n').filter(|_| !self.is_done) {
            let (head, tail) = rest.split_at(end);
            self.extend_line(head)?;
            let line = std::mem::take(&mut self.line);
            self.event(&line)?;
            rest = tail.get(1..).unwrap_or_default();
        }
        if self.is_done { Ok(()) } else { self.extend_line(rest) }
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.line.len() + bytes.len() > self.line_bytes_at_most {
            return Err(Failure::TooLong(self.line_bytes_at_most));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// One line. OpenAI's format has one line of data an event; comments and other fields are of no interest.
    fn event(&mut self, line: &[u8]) -> Result<(), Failure> {
        let Some(data) = line.strip_prefix(b"data:") else { return Ok(()) };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.is_done = true;
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let answer: Answer = serde_json::from_slice(data)
            .map_err(|_| Failure::Answer("an event is not the JSON of a completion"))?;
        if !answer.error.is_null() {
            let told = answer.error.get("code").and_then(serde_json::Value::as_u64);
            let status = told.and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
            return Err(refusal(status.unwrap_or(ERROR_IN_STREAM), data, None));
        }
        self.has_choice |= answer.has_choice();
        answer.add_to(&mut self.whole);
        if self.whole.text.len() > REPLY_BYTES_AT_MOST {
            return Err(Failure::TooLong(REPLY_BYTES_AT_MOST));
        }
        Ok(())
    }

    fn end(self) -> Result<Completion, Failure> {
        if !self.has_choice {
            return Err(Failure::Answer("the stream has no completion"));
        }
        if !self.is_done && self.whole.finish_reason.is_none() {
            return Err(Failure::Broken("the stream ended before the reply".to_owned()));
        }
        Ok(self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": comment\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Lis\"}}]}\r\n\r\n\
        data:{\"choices\":[{\"delta\":{\"content\":\"bön\"},\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\nnot read";

    fn folded(parts: &[&[u8]]) -> Result<Completion, Failure> {
        let mut events = Events::new(1000);
        parts.iter().try_for_each(|part| events.take(part))?;
        events.end()
    }

    #[test]
    fn a_stream_is_folded_however_it_is_cut() {
        let whole = folded(&[STREAM.as_bytes()]).unwrap();
        assert_eq!((whole.text.as_str(), whole.finish_reason.as_deref()), ("Lisbön", Some("stop")));
        assert_eq!(whole.usage["prompt_tokens"], 1);
        for at in 0..STREAM.len() {
            let (head, tail) = STREAM.as_bytes().split_at(at);
            assert_eq!(folded(&[head, tail]).unwrap(), whole, "cut at byte {at}");
        }
    }

    #[test]
    fn broken_streams_are_failures() {
        let cut = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n";
        assert!(matches!(folded(&[cut]), Err(Failure::Broken(_))));
        assert!(matches!(folded(&[b"data: [DONE]\n"]), Err(Failure::Answer(_))));
        assert!(matches!(folded(&[b"data: {\n"]), Err(Failure::Answer(_))));
        assert!(matches!(folded(&[&[b'x'; 1001]]), Err(Failure::TooLong(1000))));
        let error = b"data: {\"error\":{\"code\":429,\"message\":\"slow\"}}\n";
        assert!(matches!(folded(&[error]), Err(Failure::Status { status: 429, .. })));
    }
}
