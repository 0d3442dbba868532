//! One connection: its requests in turn, each by hyper, and between them nothing but the socket.
//!
//! hyper's limit for a request's head runs from its look for one, so that an idle connection would end after 2 s; and what
//! hyper holds for a connection is 8 KiB and more. So each request has a hyper of its own, which begins at its first byte.

use super::idle::Idle;
use super::reply::Reply;
use hyper::Request;
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::watch;

/// To send a request's head, from the connection's start or the request's first byte. (Without a timer hyper's limit is
/// inactive.)
const HEAD: Duration = Duration::from_secs(2);
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 32;
/// For one request, its wait for a flight included.
const EXCHANGE: Duration = Duration::from_secs(120);
/// How long a connection may stay without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// What a connection needs besides its socket.
#[derive(Debug)]
pub(super) struct Connection<A> {
    pub(super) answer: A,
    pub(super) idle: Arc<Idle>,
    /// True once the daemon ends: what is being answered is answered to its end, and nothing after it.
    pub(super) end: watch::Receiver<bool>,
}

impl<A, F> Connection<A>
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Result<Reply, Infallible>>,
{
    pub(super) async fn serve(mut self, mut stream: UnixStream) {
        let mut first = Bytes::new();
        loop {
            // Boxed: while nobody asks, the connection is as small as its socket.
            let exchange = Box::pin(tokio::time::timeout(EXCHANGE, self.exchange(stream, first)));
            let Ok(Some((back, rest))) = exchange.await else { return };
            (stream, first) = (back, rest);
            if first.is_empty() && !self.wait(&stream).await {
                return;
            }
        }
    }

    /// Answers one request, or more if they were sent without waiting. The socket and what was read of the next request;
    /// None where the connection is over: an error is a client that left or talked nonsense, and has no one to be told to.
    async fn exchange(&mut self, stream: UnixStream, first: Bytes) -> Option<(UnixStream, Bytes)> {
        let stage = Stage::default();
        let with_body = AtomicBool::new(false);
        let service = service_fn(|request: Request<Incoming>| {
            stage.set(ANSWERING);
            with_body.fetch_or(!request.body().is_end_stream(), Ordering::Relaxed);
            let (answered, stage) = ((self.answer)(request), stage.clone());
            async move {
                let reply = answered.await;
                stage.advance(ANSWERING, ANSWERED);
                reply
            }
        });
        let line = Line { stream, first, stage: stage.clone() };
        let mut hyper = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(line), service);
        let written = {
            let mut exchanged = poll_fn(|context| match Pin::new(&mut hyper).poll(context) {
                Poll::Ready(_) => Poll::Ready(false),
                Poll::Pending if stage.is(WRITTEN) => Poll::Ready(true),
                Poll::Pending => Poll::Pending,
            });
            tokio::select! {
                biased;
                written = &mut exchanged => Some(written),
                _ = self.end.wait_for(|ends| *ends) => None,
            }
        };
        match written {
            // Part of a body may be unread, and must not be taken for a request.
            Some(true) if with_body.load(Ordering::Relaxed) => None,
            Some(true) => {
                let parts = hyper.into_parts();
                // An empty one keeps hyper's whole buffer alive.
                let rest = if parts.read_buf.is_empty() { Bytes::new() } else { parts.read_buf };
                Some((parts.io.into_inner().stream, rest))
            }
            Some(false) => None,
            None => {
                Pin::new(&mut hyper).graceful_shutdown();
                let _ = hyper.await;
                None
            }
        }
    }

    /// Until the client asks again; false if it does not, or its place is wanted.
    async fn wait(&mut self, stream: &UnixStream) -> bool {
        let idle = self.idle.enter();
        tokio::select! {
            biased;
            // First: who was told to leave is counted on.
            () = idle.place_is_wanted() => false,
            readable = tokio::time::timeout(KEEP_ALIVE, stream.readable()) => matches!(readable, Ok(Ok(()))),
            _ = self.end.wait_for(|ends| *ends) => false,
        }
    }
}

/// How far a request is, told by those whom hyper calls.
#[derive(Debug, Clone, Default)]
struct Stage(Arc<AtomicU8>);

/// The first: not answered yet.
const ANSWERING: u8 = 0;
/// Not on the socket yet.
const ANSWERED: u8 = 1;
const WRITTEN: u8 = 2;

/// The socket, before it what was read already; sees the answer's last byte leave.
struct Line {
    stream: UnixStream,
    first: Bytes,
    stage: Stage,
}

// === impl Stage ===

impl Stage {
    fn is(&self, stage: u8) -> bool {
        self.0.load(Ordering::Relaxed) == stage
    }

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    fn advance(&self, from: u8, to: u8) {
        if self.is(from) {
            self.set(to);
        }
    }
}

// === impl Line ===

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let count = self.first.len().min(into.remaining());
        into.put_slice(&self.first.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper calls this when it has written all that it has, which for an answer of ours, a whole body, is all there is.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.stage.advance(ANSWERED, WRITTEN);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::reply;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const ASK: &[u8] = b"GET /one HTTP/1.1\r\nhost: valetkey\r\n\r\n";

    /// A client's end, the connection's idlers, and what ends it.
    fn connected() -> (UnixStream, Arc<Idle>, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let (client, server) = UnixStream::pair().unwrap();
        let (end, ends) = watch::channel(false);
        let idle = Arc::new(Idle::default());
        let answer = |request: Request<Incoming>| async move { Ok(reply::plain(request.uri().path())) };
        let served = tokio::spawn(Connection { answer, idle: idle.clone(), end: ends }.serve(server));
        (client, idle, end, served)
    }

    /// One answer whose body is a line.
    async fn answer(client: &mut UnixStream) -> String {
        let mut all = Vec::new();
        while !all.ends_with(b"\n") || all.ends_with(b"\r\n") {
            assert!(client.read_buf(&mut all).await.unwrap() > 0, "closed after {}", String::from_utf8_lossy(&all));
        }
        String::from_utf8(all).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn t4_a_connection_may_rest_between_requests_and_not_for_ever() {
        let (mut client, _, _end, served) = connected();
        for _ in 0..3 {
            client.write_all(ASK).await.unwrap();
            assert!(answer(&mut client).await.ends_with("/one\n"));
            tokio::time::sleep(Duration::from_secs(59)).await;
            assert!(!served.is_finished());
        }
        served.await.unwrap();
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn s42_s44_a_request_is_sent_within_two_seconds_of_its_first_byte() {
        // The first one from the start.
        for answered in [false, true] {
            let (mut client, _, _end, served) = connected();
            if answered {
                client.write_all(ASK).await.unwrap();
                answer(&mut client).await;
                tokio::time::sleep(Duration::from_secs(30)).await;
                client.write_all(b"G").await.unwrap();
            }
            let started = tokio::time::Instant::now();
            served.await.unwrap();
            assert_eq!(started.elapsed().as_secs(), 2, "{answered}");
        }
    }

    #[tokio::test]
    async fn requests_that_do_not_wait_for_answers_are_answered_in_turn() {
        let (mut client, _, _end, _) = connected();
        let two = b"GET /two HTTP/1.1\r\nhost: valetkey\r\n\r\n";
        client.write_all(&[ASK, two, &ASK[..10]].concat()).await.unwrap();
        let mut said = answer(&mut client).await;
        while !said.ends_with("/two\n") {
            said += &answer(&mut client).await;
        }
        assert_eq!(said.matches("200 OK").count(), 2);
        client.write_all(&ASK[10..]).await.unwrap();
        assert!(answer(&mut client).await.ends_with("/one\n"), "and the half one too");
    }

    #[tokio::test]
    async fn what_follows_a_body_that_nobody_read_is_no_request() {
        for head in ["content-length: 1000", "transfer-encoding: chunked"] {
            let (mut client, _, _end, served) = connected();
            client.write_all(format!("POST /one HTTP/1.1\r\n{head}\r\n\r\n").as_bytes()).await.unwrap();
            answer(&mut client).await;
            // The connection may be closed already. It stays open on this side: its end is the server's decision.
            let _ = client.write_all(ASK).await;
            let mut rest = Vec::new();
            let _ = client.read_to_end(&mut rest).await;
            assert_eq!(String::from_utf8_lossy(&rest), "", "{head}");
            served.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_idle_one_leaves_when_its_place_is_wanted() {
        let (mut client, idle, _end, served) = connected();
        client.write_all(ASK).await.unwrap();
        answer(&mut client).await;
        while !idle.make_room() {
            tokio::task::yield_now().await;
        }
        let started = tokio::time::Instant::now();
        served.await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_ends_the_idle_at_once() {
        let (mut client, _, end, served) = connected();
        client.write_all(ASK).await.unwrap();
        answer(&mut client).await;
        let started = tokio::time::Instant::now();
        end.send(true).unwrap();
        served.await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
