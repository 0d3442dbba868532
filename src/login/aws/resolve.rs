//! Makes the keys of a recipe: asks whom it names, one after the other, over our own ports.

use super::instance::Instance;
use super::keys::{Given, Keys};
use super::recipe::{Base, Recipe, Role, Token};
use crate::access::Need;
use crate::aws::{Address, CallError, Refusal, Seen, SigningClock};
use crate::error::Error;
use crate::login::AccessRequest;
use crate::ports::Route;
use serde_json::Value;
use url::Url;

/// Where what a recipe names is asked.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// In place of AWS' own STS.
    pub(super) sts: Option<Url>,
    /// In place of the profile's.
    pub(super) region: Option<String>,
    pub(super) route: Route,
    pub(super) metadata: Url,
    pub(super) clock: SigningClock,
}

impl Places {
    pub(super) async fn keys(&self, recipe: &Recipe, ask: &AccessRequest<'_>) -> Result<Keys, Error> {
        let mut keys = match &recipe.base {
            Base::Keys(keys) => keys.clone(),
            Base::Instance => self.instance(ask).keys().await?,
            Base::Process(command) => printed(command, recipe, ask).await?,
            Base::WebIdentity { role, token } => self.web_identity(role, token, ask).await?,
            Base::Sso(sso) => sso.keys(ask.http, &self.route, ask.now).await?,
        };
        for role in &recipe.roles {
            keys = self.assume(role, &keys, ask).await?;
        }
        Ok(keys)
    }

    pub(super) fn instance<'a>(&'a self, ask: &'a AccessRequest<'_>) -> Instance<'a> {
        Instance { address: &self.metadata, http: ask.http, now: ask.now }
    }

    pub(super) fn sts(&self, role: Option<&Role>) -> Address {
        let region = self.region.as_ref().or_else(|| role?.region.as_ref());
        let region = region.map_or("us-east-1", String::as_str).to_owned();
        Address { endpoint: self.sts.clone(), region, route: self.route.clone(), clock: self.clock.clone() }
    }

    async fn assume(&self, role: &Role, keys: &Keys, ask: &AccessRequest<'_>) -> Result<Keys, Error> {
        let address = self.sts(Some(role));
        let assume = async || {
            let (client, seen) = address.client(ask.http, Some(keys.signer()));
            let call = client.assume_role().role_arn(&role.arn).role_session_name(role.session_name());
            let call = call.set_external_id(role.external_id.clone()).set_duration_seconds(role.seconds);
            (call.send().await.map(|answer| answer.credentials().cloned()).map_err(CallError::from), seen)
        };
        let (mut given, mut seen) = assume().await;
        if given.is_err() && address.learns_the_time(&seen) {
            (given, seen) = assume().await;
        }
        taken(given, &seen, &address, Need::AwsKeys)
    }

    async fn web_identity(&self, role: &Role, token: &Token, ask: &AccessRequest<'_>) -> Result<Keys, Error> {
        let address = self.sts(Some(role));
        let (client, seen) = address.client(ask.http, None);
        let call = client.assume_role_with_web_identity().role_arn(&role.arn).role_session_name(role.session_name());
        let token = token.text.as_ref().map(|text| text.expose().to_owned());
        let call = call.set_web_identity_token(token).set_duration_seconds(role.seconds);
        let given = call.send().await.map(|answer| answer.credentials().cloned()).map_err(CallError::from);
        taken(given, &seen, &address, Need::WebIdentity)
    }
}

impl Role {
    fn session_name(&self) -> &str {
        self.session_name.as_deref().unwrap_or("valetkey")
    }
}

/// What a profile's credential_process prints.
async fn printed(command: &[String], recipe: &Recipe, ask: &AccessRequest<'_>) -> Result<Keys, Error> {
    let text = ask.environment.output(command).await?;
    let program = command.first().map_or("", String::as_str);
    let value = serde_json::from_str::<Value>(text.expose()).unwrap_or_default();
    let keys = serde_json::from_str::<Keys>(text.expose()).ok().filter(|keys| keys.sound() && value["Version"] == 1);
    let keys = keys.ok_or_else(|| {
        let message = format!("{program}, the credential_process of profile {}, printed no keys", recipe.profile);
        Error::configuration(message, "it has to print {\"Version\":1,\"AccessKeyId\":..,\"SecretAccessKey\":..}")
    })?;
    match keys.expiration {
        Some(end) if end <= ask.now.wall => Err(Error::unavailable(format!("{program} printed keys that are over"))),
        _ => Ok(keys),
    }
}

/// The keys out of an answer of `address`. Where they are refused, there is one recipe: no other access to try.
fn taken(given: Result<Given, CallError>, seen: &Seen, address: &Address, need: Need) -> Result<Keys, Error> {
    match given.map_err(|error| address.refusal(seen, &error, need)) {
        Ok(given) => Keys::from_sts(given, &address.host()),
        Err(Refusal::Access(error) | Refusal::Request(error)) => Err(error),
    }
}
