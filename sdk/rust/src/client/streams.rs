//! Streamed responses: an export by line, a backup by chunk. Completeness is checked: an export must end with its end
//! line, a backup with its last byte.

use std::time::Duration;

use futures::Stream;
use futures::stream::{StreamExt, once, try_unfold};
use reqwest::{Method, Response};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::pages::scoped;
use super::transport::{Pace, Request};
use super::{Client, Error};
use crate::wire::{Backup, BackupState, ExportLine, Scope};

/// Interval between two looks at the progress of a backup.
const POLL_EVERY: Duration = Duration::from_millis(100);

impl Client {
    /// Streams an export line by line: everything that `scope` owns, or the whole tenant for an empty scope. The
    /// stream succeeds only with an [`ExportLine::End`] of the right number of records. It is not retried after its
    /// first line.
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

    /// Makes a backup (an SQLite file), writes it to `target`, flushes it, and returns its size in bytes. After an error
    /// the written part is not a backup. `progress` is told the state while the server makes the file, and the number of
    /// bytes while they are fetched.
    pub async fn backup(
        &self,
        target: &mut (impl AsyncWrite + Unpin),
        mut progress: impl FnMut(&Backup),
    ) -> Result<u64, Error> {
        let mut backup = self.start_backup().await?;
        while backup.state == BackupState::Running {
            progress(&backup);
            tokio::time::sleep(POLL_EVERY).await;
            backup = self.backup_progress(backup.id).await?;
        }
        let operation = format!("POST /v1/admin/backup/{}/file", backup.id);
        if backup.state == BackupState::Failed {
            let code = backup.error.as_deref().unwrap_or("see its log");
            let detail = format!("the server could not make the backup: {code}");
            return Err(Error::CutShort { operation, detail });
        }
        let fetch = Request::new(Method::POST, format!("v1/admin/backup/{}/file", backup.id));
        let mut response = self.send(&fetch, Pace::Stream).await?;
        backup.bytes = 0;
        while let Some(piece) = response.chunk().await.map_err(|error| self.broken(error))? {
            target.write_all(&piece).await.map_err(Error::Write)?;
            backup.bytes += piece.len() as u64;
            progress(&backup);
        }
        target.flush().await.map_err(Error::Write)?;
        if backup.bytes != backup.total_bytes {
            let detail = format!("{} of {} bytes came", backup.bytes, backup.total_bytes);
            return Err(Error::CutShort { operation, detail });
        }
        Ok(backup.bytes)
    }
}

/// State of an export stream.
struct Lines {
    client: Client,
    response: Response,
    operation: String,
    /// Received bytes; those from `start` on are unread.
    buffer: Vec<u8>,
    start: usize,
    /// Offset up to which there is no line end.
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

    /// Next line, in the form that [`try_unfold`] needs.
    async fn advance(mut self) -> Result<Option<(ExportLine, Self)>, Error> {
        loop {
            let Some(line) = self.next_line().await? else {
                return if self.ended { Ok(None) } else { Err(self.cut_short("the end line is missing")) };
            };
            let line = &self.buffer[line];
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.ended {
                return Err(self.cut_short("data follows the end line"));
            }
            let line = serde_json::from_slice(line)
                .map_err(|source| Error::Decode { operation: self.operation.clone(), source })?;
            match line {
                ExportLine::Turn { .. } | ExportLine::Memory { .. } => self.records += 1,
                ExportLine::End { records, .. } if records != self.records => {
                    let detail = format!("{} records came, {records} were sent", self.records);
                    return Err(self.cut_short(&detail));
                }
                ExportLine::End { .. } => self.ended = true,
                ExportLine::Header { .. } | ExportLine::Owner(_) => {}
            }
            return Ok(Some((line, self)));
        }
    }

    /// Range of the next line in the buffer, without its line end; `None` after the last.
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
