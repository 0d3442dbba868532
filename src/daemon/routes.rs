//! The requests of the socket, `/v1`: additive only.
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/profiles` | names and kinds |
//! | `GET /v1/profiles/P/credentials[?min_valid=30m]` | `credential_process` JSON |
//! | `GET /v1/profiles/P/export[?min_valid=30m]` | the same with region and S3, for our own command |
//! | `POST /v1/profiles/P/refresh` | new credentials are asked for; until when they are valid |
//! | `GET /v1/status` | what `valetkey status --json` prints |
//! | `GET /v1/logins/L/token` | a bearer token and a newline: on this socket only |
//! | `POST /v1/logins/L` | a person's secret handed in; empty: what rests in the keyring has changed |
//! | `DELETE /v1/logins/L` | signs out: the secret leaves the daemon's keyring |
//! | `GET /v1/metrics` | OpenMetrics text |
//! | `POST /v1/reload`, `POST /v1/stop`, `POST /v1/lock`, `POST /v1/unlock` | |

use super::Orders;
use super::reply::{self, Form, Reply};
use crate::broker::{Broker, Served, Status, StoredLogin};
use crate::config::{Config, LoopbackEntry};
use crate::credentials::written;
use crate::error::Error;
use crate::export::Export;
use crate::freshness::Reader;
use crate::secret::Secret;
use crate::settings::read_duration;
use crate::system::watch::Watch;
use crate::wire::{NAME_RULE, valid_name};
use crate::worker::{Stuck, Worker};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// Where the config comes from, and how we learn that it changed.
#[derive(Debug)]
pub struct ConfigSource {
    pub file: PathBuf,
    pub home: PathBuf,
    /// The marker that locks everything.
    pub marker: PathBuf,
    pub read: fn(&std::path::Path, &std::path::Path) -> Result<Config, Error>,
    pub watch: Option<Watch>,
}

/// What `GET /v1/status` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DaemonStatus {
    pub version: String,
    pub pid: u32,
    pub config: PathBuf,
    pub keyring: String,
    /// The servers of the config; one that could not be opened is among the troubles.
    #[serde(default)]
    pub loopback: Vec<ServerStatus>,
    #[serde(flatten)]
    pub status: Status,
}

/// A server on the loopback, as the config has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    pub name: String,
    /// A profile's name follows.
    pub url: String,
    /// Empty where it gives out all.
    pub profiles: Vec<String>,
    pub token_file: Option<PathBuf>,
}

impl ServerStatus {
    fn of(entry: &LoopbackEntry) -> ServerStatus {
        ServerStatus {
            name: entry.name.clone(),
            url: format!("http://{}/profiles/", entry.listen),
            profiles: entry.profiles.clone(),
            token_file: entry.token_file.clone(),
        }
    }
}

/// What `POST /v1/profiles/P/refresh` answers: not the credentials, which nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// As it is published, UTC.
    pub expiration: String,
}

impl Refreshed {
    pub fn of(served: &Served) -> Refreshed {
        Refreshed { expiration: written(served.published) }
    }
}

/// Answers requests.
#[derive(Debug)]
pub(super) struct Routes {
    broker: Broker,
    followed: Mutex<Followed>,
    keyring: Arc<dyn crate::ports::Keyring>,
    disk: Worker,
    orders: Orders,
    /// Changes with each config that is taken in.
    configs: watch::Sender<()>,
}

/// The config's source, and what became of the last look at it.
#[derive(Debug)]
struct Followed {
    source: ConfigSource,
    /// An edit was seen and not taken in yet: the disk did not give it to us, or who asked left meanwhile. The next
    /// request tries again.
    unread: bool,
    /// The same of the marker.
    unlooked: bool,
    /// Why the config as it is on disk is not used.
    refused: Option<Error>,
}

const MAX_BODY: usize = 64 * 1024;
const DISK: Duration = Duration::from_secs(2);
/// To send a request's body.
const BODY: Duration = Duration::from_secs(2);

impl Routes {
    pub(super) fn new(broker: Broker, source: ConfigSource, orders: Orders) -> Arc<Routes> {
        let keyring = broker.keyring();
        let followed = Mutex::new(Followed { source, unread: false, unlooked: false, refused: None });
        Arc::new(Routes {
            broker,
            followed,
            keyring,
            disk: Worker::new("config"),
            orders,
            configs: watch::Sender::new(()),
        })
    }

    pub(super) fn broker(&self) -> &Broker {
        &self.broker
    }

    pub(super) fn disk(&self) -> &Worker {
        &self.disk
    }

    /// Tells of each config that is taken in.
    pub(super) fn configs(&self) -> watch::Receiver<()> {
        self.configs.subscribe()
    }

    /// For an SDK that asks over HTTP, and is in a hurry.
    pub(super) async fn served_over_http(&self, profile: &str) -> Result<Served, Error> {
        self.served(Reader::Http, profile, "").await
    }

    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Reply, Infallible> {
        let wants_json = request.headers().get("accept").is_some_and(|accept| accept.as_bytes() == b"application/json");
        let form = if wants_json { Form::Json } else { Form::Text };
        let (parts, body) = request.into_parts();
        // A disk that hangs does not hold up the end.
        if parts.uri.path() != "/v1/stop" {
            self.follow_config().await;
        }
        let path = parts.uri.path().to_owned();
        let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let answered = match (&parts.method, words.as_slice()) {
            (&Method::GET, ["v1", "profiles", profile, "credentials"]) => {
                let served = self.served(Reader::Process, profile, parts.uri.query().unwrap_or_default()).await;
                served.map(|served| reply::json_text(served.process_json()))
            }
            (&Method::GET, ["v1", "profiles", profile, "export"]) => {
                self.export(profile, parts.uri.query().unwrap_or_default()).await
            }
            (&Method::GET, ["v1", "profiles"]) => Ok(reply::json(&self.broker.status().profiles)),
            (&Method::POST, ["v1", "profiles", profile, "refresh"]) => {
                self.broker.refresh(profile).await.map(|served| reply::json(&Refreshed::of(&served)))
            }
            (&Method::POST, ["v1", "lock"]) => self.broker.lock().await.map(|()| done()),
            (&Method::POST, ["v1", "unlock"]) => self.broker.unlock().await.map(|()| done()),
            (&Method::GET, ["v1", "metrics"]) => Ok(reply::metrics(self.broker.metrics())),
            (&Method::GET, ["v1", "status"]) => Ok(reply::json(&self.status().await)),
            (&Method::GET, ["v1", "logins", login, "token"]) => {
                self.broker.token(login).await.map(|token| reply::plain(token.expose()))
            }
            (&Method::POST, ["v1", "logins", login]) => self.take_login(login, body).await,
            (&Method::DELETE, ["v1", "logins", login]) if valid_name(login) => {
                self.broker.forget_login(login).await.map(|()| done())
            }
            (&Method::POST, ["v1", "reload"]) => self.reload().await.map(|()| done()),
            (&Method::POST, ["v1", "stop"]) => {
                self.orders.end();
                Ok(done())
            }
            _ => {
                let version = env!("CARGO_PKG_VERSION");
                Err(Error::protocol(format!("this daemon ({version}) does not know {} {path}", parts.method)))
            }
        };
        Ok(answered.unwrap_or_else(|error| reply::error(&error, form)))
    }

    async fn export(&self, profile: &str, query: &str) -> Result<Reply, Error> {
        let served = self.served(Reader::Process, profile, query).await?;
        // An edit in between may have taken the profile out.
        let config = self.broker.config();
        Ok(reply::json(&Export::of(&served, config.profile(profile)?)))
    }

    async fn served(&self, reader: Reader, profile: &str, query: &str) -> Result<Served, Error> {
        if !valid_name(profile) {
            return Err(Error::configuration("this cannot be a profile's name", NAME_RULE));
        }
        if !self.broker.config().profiles.contains_key(profile)
            && let Some(error) = &self.followed.lock().await.refused
        {
            // It may well be in the file: what keeps the file from being read is what to mend.
            return Err(error.clone());
        }
        self.broker.credentials_for(reader, profile, min_valid(query)?).await
    }

    async fn status(&self) -> DaemonStatus {
        self.broker.look_at_logins().await;
        let keyring = self.keyring.describe().await.unwrap_or_else(|error| error.to_string());
        DaemonStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            config: self.broker.config().file.clone(),
            keyring,
            loopback: self.broker.config().loopback.values().map(ServerStatus::of).collect(),
            status: self.broker.status(),
        }
    }

    async fn take_login(&self, login: &str, body: Incoming) -> Result<Reply, Error> {
        let config = self.broker.config();
        let body = tokio::time::timeout(BODY, Limited::new(body, MAX_BODY).collect()).await;
        let body = body.map_err(|_| Error::protocol("the request's body did not come within 2 s"))?;
        let body = body.map_err(|_| Error::protocol("the request's body is too large or broke off"))?.to_bytes();
        if body.is_empty() {
            self.broker.login_changed(login);
            return Ok(done());
        }
        config.login(login)?;
        let text = Secret::new(String::from_utf8_lossy(&body));
        let stored =
            StoredLogin::from_secret(&text).ok_or_else(|| Error::protocol("the request's body is no login"))?;
        self.broker.store_login(login, &stored).await?;
        Ok(done())
    }

    /// Takes in an edited config before the request that follows the edit is answered.
    pub(super) async fn follow_config(&self) {
        let mut followed = self.followed.lock().await;
        let changed = match &mut followed.source.watch {
            Some(watch) => watch.changed(),
            // Started before the config's directory was made, as a service is. (With profiles to serve, the disk is
            // not touched here: the directory is one that cannot be watched.)
            None if self.broker.config().profiles.is_empty() => {
                let (file, marker) = (followed.source.file.clone(), followed.source.marker.clone());
                self.disk.run(DISK, move || Watch::new(&file, &marker)).await.ok().flatten().is_some()
            }
            None => false,
        };
        // Noted before anything is awaited: whoever asks may leave meanwhile, and a watch tells each change once.
        followed.unread |= changed;
        followed.unlooked |= changed;
        if followed.unread {
            let _ = self.load(&mut followed).await;
        }
        if followed.unlooked {
            self.broker.look_at_lock().await;
            followed.unlooked = false;
        }
    }

    pub(super) async fn reload(&self) -> Result<(), Error> {
        self.load(&mut *self.followed.lock().await).await
    }

    /// A bad config keeps the old, and `status` says so.
    async fn load(&self, followed: &mut Followed) -> Result<(), Error> {
        let source = &followed.source;
        let (file, home, read) = (source.file.clone(), source.home.clone(), source.read);
        let marker = source.marker.clone();
        // Watched anew each time, and before it is read: a link may lead elsewhere now, a directory be another.
        let looked = self.disk.run(DISK, move || (Watch::new(&file, &marker), read(&file, &home))).await;
        followed.unread = matches!(looked, Err(Stuck::Hung));
        let read = match looked {
            Ok((watch, read)) => {
                followed.source.watch = watch;
                // What the old one had still to tell is gone with it.
                followed.unlooked = true;
                read
            }
            Err(Stuck::Hung) => Err(Error::unavailable("the disk of the config did not answer within 2 s")),
            Err(Stuck::Panicked) => Err(Error::protocol("the config's reader panicked")),
        };
        match read {
            Ok(config) => {
                tracing::info!(profiles = config.profiles.len(), "config read");
                self.broker.reload(config);
                self.broker.note("config", None);
                followed.refused = None;
                self.configs.send_replace(());
                Ok(())
            }
            Err(error) => {
                self.broker.note("config", Some(format!("the edited config is not used: {error}; {}", error.hint())));
                followed.refused = Some(error.clone());
                Err(error)
            }
        }
    }
}

fn done() -> Reply {
    #[derive(Serialize)]
    struct Done {
        pid: u32,
    }
    reply::json(&Done { pid: std::process::id() })
}

fn min_valid(query: &str) -> Result<i64, Error> {
    let wanted = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "min_valid");
    let Some((_, text)) = wanted else { return Ok(0) };
    let fix = "write it as 30m, 1h, 90s or seconds";
    let read = read_duration(&text).ok_or_else(|| Error::configuration("min_valid is not a duration", fix))?;
    Ok(i64::try_from(read.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Manner;
    use crate::ports::tests::Variables;
    use crate::ports::{Outside, Tier};
    use crate::system::clock::SystemClock;
    use crate::system::keyring::OsKeyring;
    use crate::system::{config_file, http};

    fn routes(home: &std::path::Path) -> Arc<Routes> {
        let (file, marker) = (home.join("config.toml"), home.join(crate::cache::MARKER));
        std::fs::write(&file, "[logins.a]\nkind = \"aws\"\n").unwrap();
        let outside = Outside {
            clock: Arc::new(SystemClock::new()),
            http: Arc::new(http::Network::default()),
            keyring: Arc::new(OsKeyring::new(home.to_owned(), Some(Tier::Memory), DISK)),
            environment: Arc::new(Variables::new(&[])),
        };
        let config = config_file::read(&file, home).unwrap();
        let watch = Watch::new(&file, &marker);
        let source = ConfigSource { file, home: home.to_owned(), marker, read: config_file::read, watch };
        Routes::new(Broker::new(outside, home, config, Manner::Daemon), source, Orders::default())
    }

    #[tokio::test]
    async fn f21_s17_a_client_that_leaves_takes_no_edit_and_no_lock_with_it() {
        let home = tempfile::tempdir().unwrap();
        let routes = routes(home.path());
        std::fs::write(home.path().join("config.toml"), "[logins.a]\nkind = \"aws\"\n[logins.b]\nkind = \"aws\"\n")
            .unwrap();
        std::fs::write(home.path().join(crate::cache::MARKER), "").unwrap();
        {
            let mut asked = std::pin::pin!(routes.follow_config());
            // It begins, and goes no further than to where it first waits.
            tokio::select! { biased; () = &mut asked => {}, () = std::future::ready(()) => {} }
        }
        routes.follow_config().await;
        assert!(routes.broker.status().locked);
        assert_eq!(routes.broker.config().logins.len(), 2);
    }

    #[tokio::test]
    async fn f23_s17_a_lock_that_comes_with_a_reload_is_seen() {
        let home = tempfile::tempdir().unwrap();
        let routes = routes(home.path());
        std::fs::write(home.path().join(crate::cache::MARKER), "").unwrap();
        routes.reload().await.unwrap();
        routes.follow_config().await;
        assert!(routes.broker.status().locked);
    }
}
