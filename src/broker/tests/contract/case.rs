//! A case as it lies in `tests/cases/ISSUER/THE-SITUATION/case.toml`, on top of its folder's `base.toml`: what is there,
//! how the issuers answer, and what must come of it. A key that nobody knows is refused, so that no misspelt case passes.

use super::answers::Scripted;
use crate::wire::Kind;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A folder of cases: one kind of issuer, and the login that goes with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Base {
    /// What the folder is about.
    pub(super) sentence: String,
    /// How paths begin at which credentials are asked for, and at which access to them is.
    pub(super) credentials_at: String,
    pub(super) login_at: String,
    /// The stand-in's time is the machine's, by which AWS's SDK signs; else it stands as the daemon's does.
    #[serde(default)]
    pub(super) machines_clock: bool,
    /// Settings of the one login and the one profile, as in the config. An empty text says that there is none.
    pub(super) login: Table,
    pub(super) profile: Table,
    #[serde(default)]
    pub(super) there: There,
    pub(super) sign_in: SignInBy,
    /// What lies in the user's home directory.
    #[serde(default)]
    pub(super) files: Files,
    /// The issuer of credentials is a host of its own, an archive that signs users in with cookies: they go back to its
    /// endpoint and to nobody else. Elsewhere nobody is ever sent one.
    #[serde(default)]
    pub(super) dances: bool,
    /// How the issuers answer in good health, where the stand-in does not know by itself.
    #[serde(default)]
    pub(super) answer: Vec<Scripted>,
    #[serde(default)]
    pub(super) never: Vec<Never>,
}

/// One situation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// The situation and what comes of it.
    pub(super) sentence: String,
    /// What the issuer really does, as it was read in its source or seen.
    pub(super) row: String,
    /// Settings besides the folder's, or instead of them.
    #[serde(default)]
    pub(super) login: Table,
    #[serde(default)]
    pub(super) profile: Table,
    #[serde(default)]
    pub(super) there: There,
    pub(super) sign_in: Option<SignInBy>,
    #[serde(default)]
    pub(super) files: Files,
    /// What happened after the sign-in.
    #[serde(default)]
    pub(super) since: Since,
    #[serde(default)]
    pub(super) answer: Vec<Scripted>,
    pub(super) expect: Expected,
    /// What is asked some time later.
    pub(super) later: Option<Later>,
    /// What must have been sent, and what must not.
    #[serde(default)]
    pub(super) sent: Vec<Sent>,
    #[serde(default)]
    pub(super) never: Vec<Never>,
    /// What no error may repeat, besides all that was sent as a secret and issued as one.
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    /// `ISSUER/THE-SITUATION`
    #[serde(skip)]
    pub(super) name: String,
}

/// Keys and values of the config: texts, numbers, lists of texts.
pub(super) type Table = BTreeMap<String, Value>;

/// Files by their path below the home directory.
pub(super) type Files = BTreeMap<String, File>;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Without it there is no such file.
    pub(super) text: Option<String>,
    /// As `chmod` is told it.
    #[serde(default = "private")]
    pub(super) mode: String,
}

fn private() -> String {
    "600".to_owned()
}

/// Who has an account, from before the sign-in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct There {
    /// Names and passwords.
    pub(super) users: BTreeMap<String, String>,
    /// Confidential clients of Keycloak and their secrets.
    pub(super) clients: BTreeMap<String, String>,
    /// Access keys that STS knows.
    pub(super) key_ids: Vec<String>,
    /// Earthdata tokens of ada's that another program made, by their life in seconds: `{found-1}`, `{found-2}`.
    pub(super) found: Vec<i64>,
    /// Sessions of ada's at Keycloak that another program opened, by their token's life in seconds: `{session-1}` is the
    /// whole answer as JSON, `{access-1}` and `{refresh-1}` are what is in it.
    pub(super) sessions: Vec<i64>,
    /// JWTs with these claims, signed by nobody: `{NAME}`.
    pub(super) tokens: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) enum SignInBy {
    /// The content of a file.
    Text(String),
    Variables(BTreeMap<String, String>),
    Netrc(String),
    /// Nobody signs in: the config names the place of the secret.
    Elsewhere,
}

/// The stand-in's switches.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Since {
    /// Ada's token, the one that was signed in with.
    pub(super) revoked: bool,
    pub(super) eula: Option<bool>,
    pub(super) admin: Option<bool>,
    /// Ada's, from now on.
    pub(super) password: Option<String>,
    pub(super) client_secret: Option<String>,
    pub(super) sessions_over: bool,
    /// Seconds that credentials live, and tokens of Keycloak's.
    pub(super) life: Option<i64>,
    pub(super) token_life: Option<i64>,
    /// Files that were written or removed.
    pub(super) files: Files,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// Where the error comes: reading the config, signing in, or asking for credentials.
    #[serde(default)]
    pub(super) at: At,
    /// None is success.
    pub(super) kind: Option<KindName>,
    /// Each stands in the error or its hint.
    #[serde(default)]
    pub(super) says: Vec<String>,
    /// Requests since the sign-in: to the issuer of credentials, and to that of the login.
    pub(super) asked: [usize; 2],
    /// Those that the sign-in made before.
    #[serde(default)]
    pub(super) signing_in: usize,
    /// Of what is served; where the stand-in itself issued, it is what that issued in any case.
    pub(super) key_id: Option<String>,
    pub(super) expires: Option<jiff::Timestamp>,
    pub(super) s3_endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum At {
    Config,
    SignIn,
    #[default]
    Asking,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Later {
    pub(super) seconds: i64,
    #[serde(default)]
    pub(super) since: Since,
    #[serde(default)]
    pub(super) answer: Vec<Scripted>,
    /// Requests are counted on.
    pub(super) expect: Expected,
}

/// A request whose path begins so. What is not named may be anything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    pub(super) path: String,
    /// Which one of them, from 1.
    #[serde(default = "first")]
    pub(super) nth: usize,
    pub(super) method: Option<String>,
    /// Each stands there, decoded; an empty text says that it does not.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) fields: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    /// The whole body, as sent.
    pub(super) body: Option<String>,
}

fn first() -> usize {
    1
}

/// No request whose path begins so has this header, or this text anywhere; without either there is no such request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Never {
    #[serde(default)]
    pub(super) path: String,
    pub(super) header: Option<String>,
    pub(super) text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KindName(pub(super) Kind);

impl<'de> Deserialize<'de> for KindName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<KindName, D::Error> {
        let name = String::deserialize(deserializer)?;
        Kind::from_name(&name).map(KindName).ok_or_else(|| serde::de::Error::custom(format!("no kind {name}")))
    }
}
