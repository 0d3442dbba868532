//! Where a case is played: its stand-in with its people, a second one that nobody may ask, and what was seen there.

use super::answers::Scripted;
use super::case::{Base, Case, Files, Never, Sent, SignInBy, Since, Table, There};
use super::*;
use crate::credentials::written;
use crate::jwt::tests::token;
use crate::ports::Http;
use crate::standin::Logged;
use crate::system::clock::SystemClock;
use crate::system::environment::ProcessEnvironment;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// One case's place, fresh.
pub(super) struct Stage<'a> {
    pub(super) base: &'a Base,
    pub(super) case: &'a Case,
    pub(super) rig: Rig,
    /// Who issues credentials, where that is another host than Earthdata Login's.
    archive: Option<Standin>,
    elsewhere: Standin,
    /// The user's, while that of `rig` is the daemon's own.
    home: TempDir,
    http: Arc<dyn Http>,
    /// What `{PLACES}` stand for.
    values: BTreeMap<String, String>,
    /// Requests that the sign-in made.
    before: usize,
}

impl<'a> Stage<'a> {
    /// With the people there and nobody signed in.
    pub(super) async fn new(base: &'a Base, case: &'a Case, http: &Arc<dyn Http>) -> Stage<'a> {
        let clock = Arc::new(FakeClock::default());
        let standin = match base.machines_clock {
            true => Standin::start().await.unwrap(),
            false => Standin::start_by(clock.clone()).await.unwrap(),
        };
        let rig = Rig { standin, keyring: Arc::default(), clock, home: tempfile::tempdir().unwrap() };
        let archive = match base.dances {
            true => Some(rig.standin.start_beside().await.unwrap()),
            false => None,
        };
        let (elsewhere, home) = (Standin::start().await.unwrap(), tempfile::tempdir().unwrap());
        let (http, values) = (http.clone(), BTreeMap::new());
        let mut stage = Stage { base, case, rig, archive, elsewhere, home, http, values, before: 0 };
        stage.set("origin", stage.issuer().url(""));
        stage.set("home", stage.home.path().display().to_string());
        stage.set("urs", stage.rig.standin.url(Standin::URS));
        let port = |standin: &Standin| standin.url("").rsplit(':').next().unwrap_or_default().to_owned();
        stage.set("port", port(stage.issuer()));
        stage.set("urs-port", port(&stage.rig.standin));
        stage.set("elsewhere-host", format!("127.0.0.1:{}", port(&stage.elsewhere)));
        stage.set("elsewhere", stage.elsewhere.url(""));
        let now = if base.machines_clock { SystemClock::new().now() } else { stage.rig.clock.now() };
        stage.set("in-an-hour", written(now.wall + jiff::SignedDuration::from_hours(1)));
        stage.set("token", stage.rig.standin.mint_token("ada", 30 * 86_400));
        for there in [&base.there, &case.there] {
            stage.people(there);
        }
        stage.answers(&base.answer);
        stage.write(&base.files);
        stage.write(&case.files);
        stage
    }

    /// Who issues credentials.
    fn issuer(&self) -> &Standin {
        self.archive.as_ref().unwrap_or(&self.rig.standin)
    }

    fn write(&self, files: &Files) {
        for (name, file) in files {
            let path = self.home.path().join(name);
            match &file.text {
                Some(text) => {
                    fs::write(&path, self.filled(text)).unwrap();
                    let mode = u32::from_str_radix(&file.mode, 8).unwrap();
                    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
                }
                None => fs::remove_file(&path).unwrap(),
            }
        }
    }

    fn people(&mut self, there: &There) {
        for (name, password) in &there.users {
            self.rig.standin.add_user(name, password);
            self.set(&format!("basic-{name}"), STANDARD.encode(format!("{name}:{password}")));
        }
        there.clients.iter().for_each(|(id, secret)| self.rig.standin.add_client(id, secret));
        there.key_ids.iter().for_each(|id| self.rig.standin.accept_key_id(id));
        for (i, life) in there.found.iter().enumerate() {
            let found = self.rig.standin.give_token("ada", *life);
            self.set(&format!("found-{}", i + 1), found);
        }
        for (i, life) in there.sessions.iter().enumerate() {
            let session = self.rig.standin.give_session("ada", *life);
            for (name, part) in [("access", &session["access_token"]), ("refresh", &session["refresh_token"])] {
                self.set(&format!("{name}-{}", i + 1), part.as_str().unwrap_or_default().to_owned());
            }
            self.set(&format!("session-{}", i + 1), session.to_string());
        }
        for (name, claims) in &there.tokens {
            let token = token(&self.filled(&claims.to_string()));
            self.set(name, token);
        }
    }

    fn set(&mut self, name: &str, value: String) {
        self.values.insert(format!("{{{name}}}"), value);
    }

    pub(super) fn filled(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    }

    /// How the issuers answer from now on.
    pub(super) fn answers(&self, answers: &[Scripted]) {
        for answer in answers {
            let behaviour = answer.behaviour(|text| self.filled(text));
            let logs_in = answer.path.starts_with(&self.base.login_at);
            let standin = if logs_in { &self.rig.standin } else { self.issuer() };
            match answer.times {
                Some(times) => (0..times).for_each(|_| standin.behave_once(&answer.path, behaviour.clone())),
                None => standin.behave(&answer.path, behaviour),
            }
        }
    }

    pub(super) fn happens(&self, since: &Since) {
        let standin = &self.rig.standin;
        if since.revoked {
            standin.revoke(&self.values["{token}"]);
        }
        since.eula.into_iter().for_each(|required| standin.require_eula("ada", required));
        since.password.iter().for_each(|password| standin.add_user("ada", password));
        since.admin.into_iter().for_each(|admin| standin.set_admin("ada", admin));
        since.client_secret.iter().for_each(|secret| standin.add_client("admin-client", secret));
        since.life.into_iter().for_each(|life| standin.set_life(life));
        since.token_life.into_iter().for_each(|life| standin.set_token_life(life));
        self.write(&since.files);
        if since.sessions_over {
            standin.end_sessions();
        }
    }

    pub(super) fn config(&self) -> Result<Config, Error> {
        let merged = |base: &Table, case: &Table| {
            let mut all = base.clone();
            all.extend(case.clone());
            all.retain(|_, value| value != "");
            // What JSON writes of texts, numbers and lists of them is TOML too.
            all.iter().map(|(key, value)| format!("{key} = {}\n", self.filled(&value.to_string()))).collect::<String>()
        };
        let login = merged(&self.base.login, &self.case.login);
        let profile = merged(&self.base.profile, &self.case.profile);
        let text = format!("[logins.l]\n{login}[profiles.p]\nlogin = \"l\"\n{profile}");
        Config::parse(&text, Path::new("/config.toml"), self.home.path())
    }

    pub(super) async fn sign_in(&mut self, config: &Config) -> Result<(), Error> {
        let none = BTreeMap::new();
        let (source, variables) = match self.case.sign_in.as_ref().unwrap_or(&self.base.sign_in) {
            SignInBy::Text(text) => (Source::Text(Secret::new(self.filled(text))), &none),
            SignInBy::Netrc(text) => (Source::Netrc(Secret::new(self.filled(text))), &none),
            SignInBy::Variables(variables) => (Source::Variables, variables),
            SignInBy::Elsewhere => return Ok(()),
        };
        let variables: Vec<(String, String)> =
            variables.iter().map(|(name, value)| (name.clone(), self.filled(value))).collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (&**name, &**value)).collect();
        let (environment, now) = (Variables::new(&variables), self.rig.clock.now());
        let from = SignIn { prompt: &Nobody, environment: &environment, source, http: &self.http, now: &now };
        let entry = config.login("l")?;
        let secret = entry.login.sign_in(&from).await;
        self.before = self.rig.standin.count("/");
        self.rig.keyring.put("l", &StoredLogin::signed_in(entry.kind.name, secret?));
        Ok(())
    }

    pub(super) fn broker(&self, config: Config, manner: Manner) -> Broker {
        let environment = Arc::new(ProcessEnvironment::new(self.home.path().to_owned()));
        let outside = Outside { http: self.http.clone(), environment, ..self.rig.outside() };
        Broker::new(outside, self.rig.home.path(), config, manner)
    }

    /// Requests of the sign-in.
    pub(super) fn signing_in(&self) -> usize {
        self.before
    }

    /// Requests since the sign-in: to the issuer of credentials, and to that of the login; what else was asked, if
    /// anything was.
    pub(super) fn asked(&self) -> ([usize; 2], Option<String>) {
        let requests = self.rig.standin.requests().split_off(self.before);
        let (mut asked, mut else_asked) = ([0, 0], None);
        for request in requests {
            match &request.path {
                path if self.archive.is_none() && path.starts_with(&self.base.credentials_at) => asked[0] += 1,
                path if path.starts_with(&self.base.login_at) => asked[1] += 1,
                path => else_asked = Some(path.clone()),
            }
        }
        asked[0] += self.archive.as_ref().map_or(0, |archive| archive.count("/"));
        (asked, else_asked.or_else(|| (self.elsewhere.count("/") > 0).then(|| "another host".to_owned())))
    }

    /// All requests of either issuer.
    pub(super) fn requests(&self) -> Vec<Logged> {
        let archive = self.archive.iter().flat_map(Standin::requests);
        self.rig.standin.requests().into_iter().chain(archive).collect()
    }

    pub(super) fn count(&self, path: &str) -> usize {
        self.requests().iter().filter(|request| request.path.starts_with(path)).count()
    }

    /// Whether somebody was sent a cookie who did not set it.
    pub(super) fn leaks_a_cookie(&self) -> bool {
        let back =
            |request: &Logged| request.path.ends_with("/s3credentials") && request.header("authorization").is_none();
        self.rig.standin.requests().iter().any(|request| request.mentions("cookie"))
            || self.archive.iter().flat_map(Standin::requests).any(|it| it.mentions("cookie") && !back(&it))
    }

    /// What is wrong with what was sent.
    pub(super) fn complaints(&self) -> Vec<String> {
        let requests = self.requests();
        let sent = self.case.sent.iter().filter_map(|sent| self.missed(sent, &requests));
        let never = self.base.never.iter().chain(&self.case.never);
        sent.chain(never.filter_map(|never| self.found(never, &requests))).collect()
    }

    fn missed(&self, sent: &Sent, requests: &[Logged]) -> Option<String> {
        let Some(request) = requests.iter().filter(|request| request.path.starts_with(&sent.path)).nth(sent.nth - 1)
        else {
            return Some(format!("there is no request {} at {}", sent.nth, sent.path));
        };
        let mut pairs = Vec::new();
        pairs.extend(sent.method.iter().map(|method| ("the method", method, Some(request.method.clone()))));
        pairs.extend(sent.body.iter().map(|body| ("the body", body, Some(request.body.clone()))));
        let header = |name: &str| request.header(name).map(str::to_owned);
        pairs.extend(sent.headers.iter().map(|(name, value)| (name.as_str(), value, header(name))));
        pairs.extend(sent.fields.iter().map(|(name, value)| (name.as_str(), value, request.field(name))));
        pairs.extend(sent.query.iter().map(|(name, value)| (name.as_str(), value, request.parameter(name))));
        let (name, expected, there) = pairs
            .into_iter()
            .map(|(name, expected, there)| (name, self.filled(expected), there.unwrap_or_default()))
            .find(|(_, expected, there)| expected != there)?;
        Some(format!("request {} at {}: {name} is {there:?}, not {expected:?}", sent.nth, sent.path))
    }

    fn found(&self, never: &Never, requests: &[Logged]) -> Option<String> {
        let text = never.text.as_ref().map(|text| self.filled(text));
        let fits = |request: &&Logged| {
            request.path.starts_with(&never.path)
                && never.header.as_ref().is_none_or(|name| request.header(name).is_some())
                && text.as_ref().is_none_or(|text| request.mentions(text))
        };
        let request = requests.iter().find(fits)?;
        let what = never.header.as_ref().or(never.text.as_ref()).map_or("anything", |what| what);
        Some(format!("{} {} was sent {what}", request.method, request.path))
    }

    /// All that was sent or issued as a secret.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.case.secrets.iter().map(|secret| self.filled(secret)).collect();
        for request in self.requests() {
            let authorization = request.header("authorization").and_then(|text| text.split_once(' '));
            secrets.extend(authorization.map(|(_, credential)| credential.to_owned()));
            let fields = ["password", "client_secret", "refresh_token", "WebIdentityToken", "device_code"];
            secrets.extend(fields.iter().filter_map(|name| request.field(name)));
            secrets.extend(request.header("cookie").and_then(|text| text.split_once('=')).map(|(_, it)| it.to_owned()));
        }
        for issued in self.rig.standin.issued() {
            secrets.extend([issued.secret_access_key, issued.session_token]);
        }
        for there in [&self.base.there, &self.case.there] {
            secrets.extend(there.users.values().chain(there.clients.values()).cloned());
        }
        secrets.extend(self.rig.standin.tokens_of("ada"));
        secrets.push(self.values["{token}"].clone());
        let sessions =
            self.values.iter().filter(|(name, _)| name.starts_with("{access-") || name.starts_with("{refresh-"));
        secrets.extend(sessions.map(|(_, token)| token.clone()));
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }
}
