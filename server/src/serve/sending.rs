//! Stream of a connection, which breaks off once the client takes no byte of a response within a timeout.
//!
//! Nothing else bounds how long a response is sent: a client that never reads would hold its connection, the memory of the
//! response, and what a streamed response holds, for ever.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::activity::Connection;

/// Stream whose writes are watched. At each byte that is taken the time begins anew.
pub(super) struct Sending<S> {
    stream: S,
    connection: Arc<Connection>,
    time_out: Duration,
    /// Timer of the write that waits for the client; `None` while none does.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Sending<S> {
    pub(super) fn new(stream: S, connection: Arc<Connection>, time_out: Duration) -> Self {
        Self { stream, connection, time_out, waiting: None }
    }

    /// Result of a write, with the timeout of one that waits.
    fn watched(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if self.waiting.take().is_some() {
                self.connection.sends();
            }
            return written;
        }
        let (connection, time_out) = (&self.connection, self.time_out);
        let timer = self.waiting.get_or_insert_with(|| {
            connection.waits_for_client();
            Box::pin(tokio::time::sleep_until(Instant::now() + time_out))
        });
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sending<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sending<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watched(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::activity::OpenConnections;
    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_no_byte_ends_the_connection_and_a_slow_one_does_not() {
        let time_out = Duration::from_millis(300);
        let entry = Arc::new(OpenConnections::default()).enter();
        let (server, mut client) = duplex(8);
        let mut sending = Sending::new(server, Arc::clone(&entry.connection), time_out);
        let slow = tokio::spawn(async move {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(60)).await;
                client.read_exact(&mut [0; 8]).await.expect("bytes");
            }
            client
        });
        sending.write_all(&[0; 72]).await.expect("a slow client gets all of it");
        let _client = slow.await.expect("the client ends");
        let began = Instant::now();
        let error = sending.write_all(&[0; 8]).await.expect_err("nobody reads");
        assert_eq!((error.kind(), began.elapsed() >= time_out), (io::ErrorKind::TimedOut, true));
    }
}
