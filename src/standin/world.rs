//! What the stand-in knows and gives out: behaviours, tokens, key ids, credentials. Every set of credentials is new.

use super::behaviour::Behaviour;
use super::log::{Log, Logged};
use super::people::People;
use super::token;
use super::traffic::{InHand, Traffic};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// A set of credentials that was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The path of the request that got it.
    pub path: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
    /// As the issuer's clock has it. None only by [`Behaviour::MissingExpiration`].
    pub expiration: Option<Timestamp>,
}

pub(super) struct World {
    /// `http://127.0.0.1:PORT`
    pub(super) origin: String,
    /// Where Earthdata Login is, to which TEA and Cumulus send: here, or at another stand-in.
    pub(super) urs: String,
    pub(super) log: Log,
    pub(super) traffic: Traffic,
    clock: Arc<Clock>,
    manners: Mutex<Manners>,
    /// Held for look-ups, never across an await. Stand-ins that share it are one organisation's.
    state: Arc<Mutex<State>>,
}

type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// How requests are answered, by the start of their path.
#[derive(Debug, Default)]
pub(super) struct Manners {
    pub(super) always: BTreeMap<String, Behaviour>,
    pub(super) next: Vec<(String, Behaviour)>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// In seconds.
    pub(super) life: Option<i64>,
    /// Bearer tokens by what they are, with their user and when they end.
    pub(super) tokens: HashMap<String, (String, Timestamp)>,
    /// Codes that Earthdata Login gave for a token, which they are exchanged for once.
    pub(super) codes: HashMap<String, String>,
    pub(super) eulas: HashSet<String>,
    pub(super) key_ids: HashSet<String>,
    pub(super) metadata_tokens: HashSet<String>,
    /// By MFA device, each good for one use.
    pub(super) mfa_codes: HashMap<String, HashSet<String>>,
    pub(super) issued: Vec<Issued>,
    pub(super) people: People,
}

/// A request, and all that its answer depends on.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) world: &'a World,
    pub(super) request: &'a Logged,
    behaviour: &'a Behaviour,
}

/// For the whole process, so that two stand-ins never issue the same.
static ISSUED: AtomicU64 = AtomicU64::new(1);

// === impl World ===

impl World {
    pub(super) fn new(origin: String, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> World {
        let (urs, clock) = (format!("{origin}/urs"), Arc::new(clock));
        World {
            origin,
            urs,
            log: Log::new(),
            traffic: Traffic::default(),
            clock,
            manners: Mutex::default(),
            state: Arc::default(),
        }
    }

    /// One at another origin that knows and gives out the same, and sends to this one's Earthdata Login.
    pub(super) fn beside(&self, origin: String) -> World {
        let (urs, clock, state) = (self.urs.clone(), self.clock.clone(), self.state.clone());
        World { origin, urs, log: Log::new(), traffic: Traffic::default(), clock, manners: Mutex::default(), state }
    }

    pub(super) fn manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A request is in hand until this is dropped.
    pub(super) fn begin(&self, path: &str) -> InHand<'_> {
        self.traffic.begin(path, &*self.clock)
    }

    /// Takes what was said for the next request, else what was said for all.
    pub(super) fn behaviour_for(&self, path: &str) -> Behaviour {
        let mut manners = self.manners();
        if let Some(place) = manners.next.iter().position(|(start, _)| path.starts_with(start)) {
            return manners.next.remove(place).1;
        }
        let ruling = manners.always.iter().filter(|(start, _)| path.starts_with(*start));
        ruling.max_by_key(|(start, _)| start.len()).map(|(_, behaviour)| behaviour.clone()).unwrap_or_default()
    }

    pub(super) fn mint_token(&self, uid: &str, life: i64) -> String {
        let now = (self.clock)();
        let end = later(now, life);
        let issuer = &self.urs;
        let claims = json!({"type": "User", "uid": uid, "exp": end.as_second(), "iat": now.as_second(), "iss": issuer});
        let token = token::jwt(&claims, &noise("token", number(), 256));
        self.state().tokens.insert(token.clone(), (uid.to_owned(), end));
        token
    }

    /// The user of a token that is known and has not expired.
    pub(super) fn user_of(&self, token: &str) -> Option<String> {
        let now = (self.clock)();
        self.state().tokens.get(token).filter(|(_, end)| *end > now).map(|(uid, _)| uid.clone())
    }

    /// A code for a new token of user `uid`.
    pub(super) fn make_code(&self, uid: &str) -> String {
        let token = self.mint_token(uid, 3600);
        let code: String = noise("code", number(), 32).iter().map(|byte| format!("{byte:02x}")).collect();
        self.state().codes.insert(code.clone(), token);
        code
    }

    pub(super) fn eula_required(&self, uid: &str) -> bool {
        self.state().eulas.contains(uid)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("origin", &self.origin).finish_non_exhaustive()
    }
}

// === impl Ask ===

impl<'a> Ask<'a> {
    pub(super) fn new(world: &'a World, request: &'a Logged, behaviour: &'a Behaviour) -> Ask<'a> {
        Ask { world, request, behaviour }
    }

    /// The issuer's time.
    pub(super) fn now(&self) -> Timestamp {
        let skew = if let Behaviour::SkewedDate { seconds } = self.behaviour { *seconds } else { 0 };
        later((self.world.clock)(), skew)
    }

    /// Credentials that live `life` seconds, unless all are told otherwise.
    pub(super) fn issue(&self, life: i64) -> Issued {
        self.issue_shaped(life, "ASIASTANDIN", 40)
    }

    /// The same, with a key id that begins so and nine digits more, and a secret of so many characters.
    pub(super) fn issue_shaped(&self, life: i64, id: &str, secret: usize) -> Issued {
        let path = &self.request.path;
        let mut state = self.world.state();
        if let Behaviour::RepeatSame = self.behaviour
            && let Some(last) = state.issued.iter().rfind(|issued| issued.path == *path)
        {
            return last.clone();
        }
        let expiration = match self.behaviour {
            Behaviour::PastExpiration => Some(later(self.now(), -60)),
            Behaviour::MissingExpiration => None,
            _ => Some(later(self.now(), state.life.unwrap_or(life))),
        };
        let number = number();
        let issued = Issued {
            path: path.clone(),
            access_key_id: format!("{id}{number:09}"),
            secret_access_key: STANDARD_NO_PAD.encode(noise("secret", number, 30)).chars().take(secret).collect(),
            session_token: format!("IQoJ{}", STANDARD_NO_PAD.encode(noise("session", number, 525))),
            expiration,
        };
        state.issued.push(issued.clone());
        issued
    }

    /// As [`Ask::issue`], for an issuer that answers in JSON and lets credentials live an hour.
    pub(super) fn issue_json(&self) -> Value {
        let pascal = matches!(self.behaviour, Behaviour::Pascal);
        let issued = self.issue(3600);
        let parts = [
            ("AccessKeyId", "accessKeyId", Some(issued.access_key_id)),
            ("SecretAccessKey", "secretAccessKey", Some(issued.secret_access_key)),
            ("SessionToken", "sessionToken", Some(issued.session_token)),
            ("Expiration", "expiration", issued.expiration.map(spaced)),
        ];
        let named = |(upper, camel, part): (&str, &str, Option<String>)| {
            part.map(|part| (if pascal { upper } else { camel }.to_owned(), Value::String(part)))
        };
        Value::Object(parts.into_iter().filter_map(named).collect())
    }

    /// Whether a bearer is looked at.
    pub(super) fn takes_bearers(&self) -> bool {
        !matches!(self.behaviour, Behaviour::TakesNoBearer)
    }

    /// Whether STS is to speak as Ceph's does.
    pub(super) fn by_ceph(&self) -> bool {
        matches!(self.behaviour, Behaviour::Ceph)
    }

    /// An id for the answer, for messages to support.
    pub(super) fn request_id(&self) -> String {
        let hex: String = noise("request", number(), 16).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// So many seconds later, whole ones.
pub(super) fn later(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second().saturating_add(seconds)).unwrap_or(Timestamp::MAX)
}

/// As Earthdata's issuers write time.
fn spaced(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string()
}

pub(super) fn number() -> u64 {
    ISSUED.fetch_add(1, Ordering::Relaxed)
}

/// Bytes that look random and differ by `purpose` and `number`.
pub(super) fn noise(purpose: &str, number: u64, length: usize) -> Vec<u8> {
    let block = |i: u64| Sha256::digest(format!("{purpose} {number} {i}")).to_vec();
    (0..).flat_map(block).take(length).collect()
}
