//! The wire under an answer: it may break off at any byte, in the head too, or carry what is no answer at all.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How a connection ends whose answer broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As where a router forgets it, or the issuer dies.
    Reset,
    /// As where the issuer thinks that all is said.
    Closed,
    /// Not at all: nothing more comes.
    Silence,
}

/// What becomes of the next answer on a connection. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Fate(Arc<Mutex<Option<Torn>>>);

/// An answer that does not arrive as it was meant.
#[derive(Debug, Clone)]
pub(super) struct Torn {
    /// Sent before it.
    pub(super) first: Vec<u8>,
    /// So much of it arrives.
    pub(super) bytes: usize,
    pub(super) end: End,
}

/// A connection that does to an answer what its [`Fate`] says.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    fate: Fate,
}

// === impl Fate ===

impl Fate {
    pub(super) fn decide(&self, torn: Torn) {
        *self.of_next() = Some(torn);
    }

    fn of_next(&self) -> MutexGuard<'_, Option<Torn>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Line ===

impl Line {
    pub(super) fn new(stream: TcpStream, fate: Fate) -> Line {
        Line { stream, fate }
    }

    /// Passes on what may pass of `answer`; then the end. Head and body may come in several writes.
    fn pass(&mut self, context: &mut Context<'_>, answer: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = Pin::new(&mut self.stream);
        let mut fate = self.fate.of_next();
        let Some(torn) = fate.as_mut() else { return stream.poll_write(context, answer) };
        while !torn.first.is_empty() {
            let written = ready!(stream.as_mut().poll_write(context, &torn.first))?;
            torn.first.drain(..written);
        }
        let part = &answer[..answer.len().min(torn.bytes)];
        if !part.is_empty() {
            let written = ready!(stream.poll_write(context, part))?;
            torn.bytes -= written;
            return Poll::Ready(Ok(written));
        }
        match torn.end {
            End::Silence => return Poll::Pending,
            End::Reset => rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO))?,
            End::Closed => {}
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pass(context, bytes)
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
    use super::super::tests::{bearer, get, status};
    use super::super::{Behaviour, Standin};
    use super::*;

    #[tokio::test]
    async fn so_many_bytes_arrive_whatever_they_are_of_and_the_next_answer_is_whole() {
        let standin = Standin::start().await.unwrap();
        let token = bearer(&standin.mint_token("ada", 60));
        let whole = get(&standin, Standin::TEA, &token).await;
        for end in [End::Reset, End::Closed] {
            for bytes in [0, 1, 17, 200, 900] {
                standin.behave_once(Standin::TEA, Behaviour::Torn { bytes, end });
                let torn = get(&standin, Standin::TEA, &token).await;
                assert_eq!((torn.len(), &torn[..bytes.min(15)]), (bytes, &whole[..bytes.min(15)]), "{end:?}");
            }
        }
        assert_eq!(status(&get(&standin, Standin::TEA, &token).await), 200);
    }

    #[tokio::test]
    async fn what_is_no_answer_arrives_word_for_word() {
        let standin = Standin::start().await.unwrap();
        let said = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
        standin.behave("/", Behaviour::Raw { answer: said.to_owned(), end: End::Closed });
        assert_eq!(get(&standin, Standin::TEA, "").await, said);
    }

    #[tokio::test]
    async fn a_silence_is_no_end() {
        let standin = Standin::start().await.unwrap();
        standin.behave_once("/", Behaviour::Torn { bytes: 20, end: End::Silence });
        let mut asking = std::pin::pin!(get(&standin, Standin::TEA, ""));
        tokio::select! {
            () = standin.wait_for("/", 1) => {}
            _ = &mut asking => panic!("an end"),
        }
        tokio::time::pause();
        assert!(tokio::time::timeout(Duration::from_secs(3600), asking).await.is_err());
    }
}
