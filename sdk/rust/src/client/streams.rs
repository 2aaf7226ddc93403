//! The two answers that are too long to hold: an export, line by line, and a backup, piece by piece. Neither is taken
//! for whole unless it is: an export must end with its last line, a backup with its last byte.

use futures::Stream;
use futures::stream::{StreamExt, once, try_unfold};
use reqwest::Response;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::pages::scoped;
use super::transport::{Pace, Request};
use super::{Client, Error};
use crate::wire::{ExportLine, Scope};

impl Client {
    /// Everything that `scope` owns, or with a scope that names nobody everything in the tenant, line by line as it
    /// comes. The stream ends well only after [`ExportLine::End`] with the right number of records; once begun it is
    /// not asked for again.
    pub fn export(&self, scope: &Scope) -> impl Stream<Item = Result<ExportLine, Error>> + use<> {
        let client = self.clone();
        let request = scoped(Request::get("v1/export"), scope);
        once(async move {
            match client.send(&request, Pace::Stream).await {
                Ok(response) => {
                    Ok(try_unfold(Lines::new(client, response, request.operation()), Lines::advance))
                }
                Err(error) => Err(error),
            }
        })
        .flat_map(|begun| match begun {
            Ok(lines) => lines.left_stream(),
            Err(error) => once(async move { Err(error) }).right_stream(),
        })
    }

    /// Writes a backup, an SQLite file, into `target`, flushes it, and tells how many bytes it is. What was written
    /// before an error is no backup.
    pub async fn backup(&self, target: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Error> {
        let mut response = self.send(&Request::get("v1/admin/backup"), Pace::Stream).await?;
        let mut bytes = 0;
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(error))? {
            target.write_all(&piece).await.map_err(Error::Write)?;
            bytes += piece.len() as u64;
        }
        target.flush().await.map_err(Error::Write)?;
        Ok(bytes)
    }
}

/// The lines of an export on their way in.
struct Lines {
    client: Client,
    response: Response,
    operation: String,
    /// What has come and is not read yet, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    /// Up to here there is no end of a line.
    searched: usize,
    records: u64,
    ended: bool,
}

impl Lines {
    fn new(client: Client, response: Response, operation: String) -> Self {
        Self {
            client,
            response,
            operation,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            records: 0,
            ended: false,
        }
    }

    /// The next line, as [`try_unfold`] wants it.
    async fn advance(mut self) -> Result<Option<(ExportLine, Self)>, Error> {
        loop {
            let Some(line) = self.next_line().await? else {
                return if self.ended { Ok(None) } else { Err(self.cut_short("there is no last line")) };
            };
            let line = &self.buffer[line];
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.ended {
                return Err(self.cut_short("something follows its last line"));
            }
            let line = serde_json::from_slice(line)
                .map_err(|source| Error::Decode { operation: self.operation.clone(), source })?;
            match line {
                ExportLine::Turn { .. } | ExportLine::Memory { .. } => self.records += 1,
                ExportLine::End { records } if records != self.records => {
                    let detail = format!("{} records came, {records} were sent", self.records);
                    return Err(self.cut_short(&detail));
                }
                ExportLine::End { .. } => self.ended = true,
                ExportLine::Header { .. } | ExportLine::Owner { .. } => {}
            }
            return Ok(Some((line, self)));
        }
    }

    /// Where in the buffer the next line lies, without its end; `None` after the last.
    async fn next_line(&mut self) -> Result<Option<std::ops::Range<usize>>, Error> {
        loop {
            if let Some(length) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                let line = self.start..self.searched + length;
                self.start = line.end + 1;
                self.searched = self.start;
                return Ok(Some(line));
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            self.searched = self.buffer.len();
            let limit_bytes = self.client.max_answer_bytes;
            if self.buffer.len() > limit_bytes {
                return Err(Error::TooLong { operation: self.operation.clone(), limit_bytes });
            }
            match self.response.chunk().await.map_err(|error| self.client.broken(error))? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => return Ok(None),
                None => self.buffer.push(b'\n'),
            }
        }
    }

    fn cut_short(&self, detail: &str) -> Error {
        Error::CutShort { operation: self.operation.clone(), detail: detail.to_owned() }
    }
}
