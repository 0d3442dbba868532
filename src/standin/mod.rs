//! The stand-in issuer: answers on loopback as TEA, Cumulus, Earthdata Login, Keycloak, HPE Cray and STS do, and logs
//! all it is asked.
//!
//! `valetkey demo` runs on it; tests read in its log what was sent and what was *not*. It is plain HTTP on 127.0.0.1,
//! keeps nothing on disk, and its keys open nothing. Another issuer is one file and a line in `ISSUERS`.

mod answer;
mod behaviour;
mod cray;
mod earthdata;
mod instance;
mod keycloak;
mod line;
mod log;
mod people;
mod sts;
#[cfg(test)]
mod tests;
mod token;
mod traffic;
mod urs;
mod user_tokens;
mod world;

pub use behaviour::{Behaviour, Gate};
pub use line::End;
pub use log::Logged;
pub use traffic::{Exchange, Fate};
pub use world::Issued;

use crate::ports::Clock;
use answer::{Answer, Body};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use line::Line;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use world::{Ask, World};

/// A running stand-in. Its clones are the same one; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Standin {
    world: Arc<World>,
    server: Arc<Server>,
}

/// The task that accepts; ends when dropped.
#[derive(Debug)]
struct Server(std::sync::Mutex<Option<JoinHandle<()>>>);

/// One kind of issuer.
trait Issuer: Sync {
    /// What it answers when all is well with the issuer itself.
    fn answer(&self, ask: &Ask) -> Answer;
    /// Where it sends a caller whom it does not know.
    fn sign_in(&self, ask: &Ask) -> Answer;
    /// How it words a trouble of its own.
    fn trouble(&self, status: u16, code: &str, message: &str) -> Answer;
}

/// Who answers below which path, the first that fits. The last knows what is not there.
const ISSUERS: &[(&str, &dyn Issuer)] = &[
    ("/tea/", &earthdata::Tea),
    ("/cumulus/", &earthdata::Cumulus),
    ("/sts", &sts::Sts),
    ("/latest/", &instance::Instance),
    ("/keycloak/", &keycloak::Keycloak),
    ("/apis/", &cray::Cray),
    ("/cray/apis/", &cray::Cray),
    ("/", &urs::Urs),
];

/// The clock's reading for a stand-in that was given no clock.
#[allow(clippy::disallowed_methods)] // The issuer is another machine: its clock is not the product's.
fn wall() -> Timestamp {
    Timestamp::now()
}

// === impl Standin ===

impl Standin {
    /// TEA's endpoint. Others may be had at `/tea/NAME/s3credentials`.
    pub const TEA: &'static str = "/tea/s3credentials";
    /// Cumulus's endpoint. Others may be had at `/cumulus/NAME/s3credentials`.
    pub const CUMULUS: &'static str = "/cumulus/s3credentials";
    /// Earthdata Login's base.
    pub const URS: &'static str = "/urs";
    /// STS's endpoint.
    pub const STS: &'static str = "/sts/";
    /// Keycloak's one realm.
    pub const REALM: &'static str = "/keycloak/realms/shasta";
    /// Its token endpoint.
    pub const TOKEN: &'static str = "/keycloak/realms/shasta/protocol/openid-connect/token";
    /// HPE Cray's STS, at its own place on a gateway; it answers below `/cray` too.
    pub const CRAY: &'static str = "/apis/sts/token";
    /// The role of the instance that it is, with all its metadata at the root.
    pub const INSTANCE_ROLE: &'static str = "worker";
    /// The S3 that HPE Cray's STS names. Nobody listens there.
    pub const CRAY_S3: &'static str = "http://rgw-vip.nmn";

    /// Listens on a free port of 127.0.0.1 and answers in a task of the runtime that calls it.
    pub async fn start() -> io::Result<Standin> {
        Standin::start_at(wall).await
    }

    /// As [`Standin::start`], with its time taken from `clock`.
    pub async fn start_by(clock: Arc<dyn Clock>) -> io::Result<Standin> {
        Standin::start_at(move || clock.now().wall).await
    }

    async fn start_at(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> io::Result<Standin> {
        Standin::listen(|origin| World::new(origin, now)).await
    }

    /// Another one, with an origin, a log and behaviours of its own, for the same people, tokens and credentials. Its TEA
    /// and Cumulus send to this one's Earthdata Login.
    pub async fn start_beside(&self) -> io::Result<Standin> {
        Standin::listen(|origin| self.world.beside(origin)).await
    }

    async fn listen(world: impl FnOnce(String) -> World) -> io::Result<Standin> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let world = Arc::new(world(format!("http://{}", listener.local_addr()?)));
        let task = tokio::spawn(serve(listener, world.clone()));
        Ok(Standin { world, server: Arc::new(Server(std::sync::Mutex::new(Some(task)))) })
    }

    /// `http://127.0.0.1:PORT` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.world.origin)
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Logged> {
        self.world.log.all()
    }

    /// How many requests had a path that starts with `path`.
    pub fn count(&self, path: &str) -> usize {
        self.world.log.count(path)
    }

    /// Returns once `count(path)` is `n` or more.
    pub async fn wait_for(&self, path: &str, n: usize) {
        self.world.log.wait_for(path, n).await;
    }

    /// What came of every request, in the order of arrival.
    pub fn traffic(&self) -> Vec<Exchange> {
        self.world.traffic.all()
    }

    /// Every set of credentials given out, in order; one that is repeated stands here once.
    pub fn issued(&self) -> Vec<Issued> {
        self.world.state().issued.clone()
    }

    /// How paths that start with `path` are answered from now on. The longest such `path` rules.
    pub fn behave(&self, path: &str, behaviour: Behaviour) {
        self.world.manners().always.insert(path.to_owned(), behaviour);
    }

    /// How the next request whose path starts with `path` is answered. Calls add up, in order.
    pub fn behave_once(&self, path: &str, behaviour: Behaviour) {
        self.world.manners().next.push((path.to_owned(), behaviour));
    }

    /// The life of credentials issued from now on, in seconds, whatever a request asks for. Until then an hour, or what
    /// STS is asked for.
    pub fn set_life(&self, seconds: i64) {
        self.world.state().life = Some(seconds);
    }

    /// A new Earthdata Login token of user `uid`, a JWT, good for `life_seconds`, or already expired if that is negative.
    pub fn mint_token(&self, uid: &str, life_seconds: i64) -> String {
        self.world.mint_token(uid, life_seconds)
    }

    /// Makes a token bad from now on.
    pub fn revoke(&self, token: &str) {
        self.world.state().tokens.remove(token);
    }

    /// Whether user `uid` has yet to accept a EULA: TEA, Cumulus and Earthdata Login then refuse, each in its way.
    pub fn require_eula(&self, uid: &str, required: bool) {
        let eulas = &mut self.world.state().eulas;
        if required {
            eulas.insert(uid.to_owned())
        } else {
            eulas.remove(uid)
        };
    }

    /// Makes an access key id known to STS. Signatures are not checked, only whose they are and of when.
    pub fn accept_key_id(&self, access_key_id: &str) {
        self.world.state().key_ids.insert(access_key_id.to_owned());
    }

    /// Lets an MFA device show this code, which opens one session.
    pub fn add_mfa_code(&self, serial: &str, code: &str) {
        self.world.state().mfa_codes.entry(serial.to_owned()).or_default().insert(code.to_owned());
    }

    /// Stops listening: when this returns, its port refuses connections. Other clones keep their log.
    pub async fn stop(self) {
        let task = self.server.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens again where it did before it was stopped.
    pub async fn start_again(&self) -> io::Result<()> {
        let listener = TcpListener::bind(self.world.origin.trim_start_matches("http://")).await?;
        let task = tokio::spawn(serve(listener, self.world.clone()));
        *self.server.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(task);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()) {
            task.abort();
        }
    }
}

// === The server ===

/// Accepts until aborted, which ends the connections too.
async fn serve(listener: TcpListener, world: Arc<World>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, world.clone()));
                }
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}

/// Every request of one connection. An error closes it, which is what some behaviours want.
async fn converse(stream: TcpStream, world: Arc<World>) {
    let fate = line::Fate::default();
    let service = service_fn(|request| respond(request, &world, &fate));
    let line = TokioIo::new(Line::new(stream, fate.clone()));
    let _ = http1::Builder::new().serve_connection(line, service).await;
}

async fn respond(request: Request<Incoming>, world: &World, fate: &line::Fate) -> io::Result<Response<Body>> {
    let request = Logged::read(request).await;
    let behaviour = world.behaviour_for(&request.path);
    let mut exchange = world.begin(&request.path);
    world.log.push(request.clone());
    let behaviour = behaviour.ready().await.inspect_err(|_| exchange.fate = Fate::Badly)?;
    let ask = Ask::new(world, &request, &behaviour);
    let issuer = ISSUERS.iter().find(|(below, _)| request.path.starts_with(below)).map(|(_, issuer)| *issuer);
    let answer = issuer.map_or_else(Answer::not_deployed, |issuer| behaviour.answer(issuer, &ask));
    behaviour.let_go().await;
    behaviour.torn().into_iter().for_each(|torn| fate.decide(torn));
    let well = answer.status == 200 && matches!(behaviour, Behaviour::Normal);
    exchange.fate = if well { Fate::Well } else { Fate::Badly };
    Ok(answer.dated(ask.now()).into())
}
