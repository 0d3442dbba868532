//! AWS logins whose keys others give: an MFA session, a profile of `~/.aws`, an instance's role; each asked for once.

use super::*;
use crate::system::environment::ProcessEnvironment;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

const SERIAL: &str = "arn:aws:iam::123456789012:mfa/ada";
const KEYS: &str = r#"{"AccessKeyId":"AKIALONGLIVED","SecretAccessKey":"marker-of-a-long-lived-key"}"#;

/// A home directory with `.aws` in it, and an STS that knows the key AKIALONGLIVED.
struct House {
    rig: Rig,
    clock: Arc<Ahead>,
    home: TempDir,
}

/// The machine's clock, which the SDK signs by, and so many seconds.
#[derive(Debug, Default)]
struct Ahead(AtomicI64);

impl Ahead {
    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now(&self) -> Moment {
        let ahead = jiff::SignedDuration::from_secs(self.0.load(Ordering::SeqCst));
        let Moment { wall, boot, boot_id } = crate::system::clock::SystemClock::default().now();
        Moment { wall: wall + ahead, boot: boot + ahead.unsigned_abs(), boot_id }
    }
}

impl House {
    async fn new() -> House {
        let mut rig = Rig::new().await;
        rig.standin = Standin::start().await.unwrap();
        let house = House { rig, clock: Arc::default(), home: tempfile::tempdir().unwrap() };
        house.rig.standin.accept_key_id("AKIALONGLIVED");
        house.rig.keyring.state().entries.clear();
        house.write("credentials", "[base]\naws_access_key_id = AKIALONGLIVED\naws_secret_access_key = s\n");
        house
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(".aws").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    /// Ten profiles `p0`.. that assume a role with the keys of that login.
    fn config(&self, login: &str) -> Config {
        let (sts, metadata) = (self.rig.standin.url(Standin::STS), self.rig.standin.url(""));
        let mut text =
            format!("[logins.l]\nkind = \"aws\"\n{login}\n").replace("STS", &sts).replace("METADATA", &metadata);
        for profile in 0..10 {
            text += &format!("[profiles.p{profile}]\nprovider = \"sts\"\nlogin = \"l\"\nendpoint = \"{sts}\"\n");
            text += &format!("role_arn = \"arn:aws:iam::123456789012:role/p{profile}\"\n");
        }
        Config::parse(&text, Path::new("/config.toml"), self.home.path()).unwrap()
    }

    fn broker(&self, login: &str, manner: Manner) -> Broker {
        let environment = Arc::new(ProcessEnvironment::new(self.home.path().to_owned()));
        let outside = Outside { environment, clock: self.clock.clone(), ..self.rig.outside() };
        Broker::new(outside, self.rig.home.path(), self.config(login), manner)
    }

    /// How often each was asked: for a role of the chain, for a role of a profile of ours.
    fn roles(&self) -> (usize, usize) {
        let requests = self.rig.standin.requests();
        let asked =
            |of: &str| requests.iter().filter(|ask| ask.field("RoleArn").is_some_and(|arn| arn.contains(of))).count();
        (asked("role/chain"), asked("role/p"))
    }

    async fn sign_in(&self, login: &str, text: &str) -> Result<Secret, Error> {
        let config = self.config(login);
        let entry = config.login("l").unwrap();
        let (outside, environment, now) = (self.rig.outside(), Variables::new(&[]), self.clock.now());
        let source = Source::Text(Secret::new(text));
        let from = SignIn { prompt: &Nobody, environment: &environment, source, http: &outside.http, now: &now };
        entry.login.sign_in(&from).await
    }
}

const MFA: &str = "mfa_serial = \"arn:aws:iam::123456789012:mfa/ada\"\nendpoint = \"STS\"";
const CHAIN: &str = "[profile dev]\nsource_profile = base\nrole_arn = arn:aws:iam::123456789012:role/chain\n";
const PROFILE: &str = "profile = \"dev\"\nendpoint = \"STS\"";

#[tokio::test]
async fn an_mfa_code_is_spent_once_for_a_session_that_is_kept_without_the_key_behind_it() {
    let house = House::new().await;
    house.rig.standin.add_mfa_code(SERIAL, "123456");
    let secret = house.sign_in(MFA, &format!("{KEYS}\n123456\n")).await.unwrap();
    assert_eq!(house.rig.standin.count(Standin::STS), 1);
    let session = house.rig.standin.issued()[0].clone();
    assert!(!secret.expose().contains("AKIALONGLIVED") && !secret.expose().contains("marker"));
    let about = house.config(MFA).login("l").unwrap().login.about(&secret);
    assert_eq!((about.who.as_ref(), about.until), (Some(&session.access_key_id), session.expiration));
    assert!(about.made_by_hand);

    house.rig.keyring.put("l", &StoredLogin::signed_in("aws", secret));
    let broker = house.broker(MFA, Manner::Daemon);
    broker.credentials("p0", 0).await.unwrap();
    let requests = house.rig.standin.requests();
    let signed = |key: &str| requests.iter().filter(|ask| ask.mentions(&format!("Credential={key}/"))).count();
    assert_eq!((signed("AKIALONGLIVED"), signed(&session.access_key_id)), (1, 1), "only the session opens roles");

    house.clock.advance(43_200);
    let error = broker.credentials("p0", 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::LoginRequired);
    assert!(error.to_string().contains("the MFA session ended at"), "{}", error.text());
    assert_eq!(error.hint(), "run: valetkey login l");
    assert_eq!(house.rig.standin.count(Standin::STS), 2, "that it is over is known without asking");
}

#[tokio::test]
async fn a_wrong_mfa_code_is_sent_once_and_told_as_that() {
    let house = House::new().await;
    house.rig.standin.add_mfa_code(SERIAL, "123456");
    let refused = async |code: &str| {
        let error = house.sign_in(MFA, &format!("{KEYS}\n{code}")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::LoginRequired);
        assert!(error.to_string().contains("does not accept the MFA code"), "{}", error.text());
    };
    refused("654321").await;
    assert_eq!(house.rig.standin.count(Standin::STS), 1);
    house.sign_in(MFA, &format!("{KEYS}\n123456")).await.unwrap();
    refused("123456").await;
    assert_eq!(house.rig.standin.count(Standin::STS), 3, "one request for each");
}

#[tokio::test]
async fn ten_one_shots_of_a_role_chain_assume_its_role_once() {
    let house = House::new().await;
    house.write("config", CHAIN);
    for profile in 0..10 {
        house.broker(PROFILE, Manner::OneShot).credentials(&format!("p{profile}"), 0).await.unwrap();
    }
    assert_eq!(house.roles(), (1, 10));
    assert!(house.rig.keyring.state().entries.is_empty(), "nothing of it is stored");
    // Another profile of the file is none of ours; another role is another sign-in.
    house.write("config", &format!("{CHAIN}[profile other]\nregion = x\n"));
    house.broker(PROFILE, Manner::OneShot).credentials("p0", 0).await.unwrap();
    assert_eq!(house.roles(), (1, 10));
    house.write("config", &CHAIN.replace("role/chain", "role/chain-2"));
    house.broker(PROFILE, Manner::OneShot).credentials("p0", 0).await.unwrap();
    assert_eq!(house.roles(), (2, 11));
    // An hour's keys of the chain are asked for again when they end, and not before.
    house.clock.advance(3700);
    house.rig.standin.set_life(3 * 3600);
    house.broker(PROFILE, Manner::OneShot).credentials("p1", 0).await.unwrap();
    assert_eq!(house.roles(), (3, 12));
}

#[tokio::test]
async fn static_keys_of_a_profile_are_used_as_they_are_and_read_again_when_they_change() {
    let house = House::new().await;
    let broker = house.broker("profile = \"base\"", Manner::Daemon);
    house.write("credentials", "[base]\naws_access_key_id = AKIAOLD\naws_secret_access_key = s\n");
    let error = broker.credentials("p0", 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::LoginRequired);
    assert!(error.hint().starts_with("put it right in profile base of ~/.aws/config"), "{}", error.text());
    house.write("credentials", "[base]\naws_access_key_id = AKIALONGLIVED\naws_secret_access_key = s\n");
    house.clock.advance(60);
    broker.credentials("p0", 0).await.unwrap();
    assert_eq!(house.roles(), (0, 2));
}

#[tokio::test]
async fn a_web_identity_of_a_profile_is_a_token_in_a_file_that_others_renew() {
    let house = House::new().await;
    house.rig.standin.add_user("ada", "pw");
    let file = house.home.path().join(".aws/token");
    house.write(
        "config",
        &format!(
            "[profile dev]\nrole_arn = arn:aws:iam::123456789012:role/chain\nweb_identity_token_file = {}\n",
            file.display()
        ),
    );
    house.write("token", "an-old-one");
    let broker = house.broker(PROFILE, Manner::Daemon);
    for _ in 0..3 {
        assert_eq!(kind(&broker.credentials("p0", 0).await), Kind::LoginRequired);
        house.clock.advance(60);
    }
    assert_eq!(house.roles(), (1, 0), "a token that was refused is not sent again");
    let request = crate::ports::Request {
        method: "POST",
        url: house.rig.standin.url(Standin::TOKEN).parse().unwrap(),
        headers: vec![("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded"))],
        body: Some(Secret::new("grant_type=password&client_id=shasta&username=ada&password=pw")),
        limit: Duration::from_secs(20),
        route: crate::ports::Route::default(),
    };
    house.write("token", house.rig.outside().http.send(request).await.unwrap().body.expose());
    house.clock.advance(60);
    broker.credentials("p0", 0).await.unwrap();
    assert_eq!(house.roles(), (2, 1), "nobody has to run `login`");
}

#[tokio::test]
async fn ten_one_shots_run_a_credential_process_once_until_its_keys_end() {
    let house = House::new().await;
    let script = house.home.path().join(".aws/keys.sh");
    let printed = |seconds: i64| {
        let end = jiff::SignedDuration::from_secs(seconds);
        let end = crate::credentials::written(house.clock.now().wall + end);
        let keys = "\"AccessKeyId\":\"AKIALONGLIVED\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\"";
        house.write(
            "keys.sh",
            &format!("echo run >> \"$0.log\"\necho '{{\"Version\":1,{keys},\"Expiration\":\"{end}\"}}'\n"),
        );
    };
    let runs = || std::fs::read_to_string(house.home.path().join(".aws/keys.sh.log")).unwrap().lines().count();
    house.write("config", &format!("[profile dev]\ncredential_process = /bin/sh '{}'\n", script.display()));
    printed(3600);
    for profile in 0..10 {
        house.broker("profile = \"dev\"", Manner::OneShot).credentials(&format!("p{profile}"), 0).await.unwrap();
    }
    assert_eq!((runs(), house.roles()), (1, (0, 10)));
    house.clock.advance(3600);
    house.rig.standin.set_life(3 * 3600);
    let broker = house.broker("profile = \"dev\"", Manner::OneShot);
    printed(0);
    assert_eq!(kind(&broker.credentials("p0", 0).await), Kind::Unavailable, "keys that are over are not used");
    printed(3600);
    house.clock.advance(60);
    broker.credentials("p0", 0).await.unwrap();
    assert_eq!((runs(), house.roles()), (3, (0, 11)));
}

const INSTANCE: &str = "source = \"instance\"\nmetadata_endpoint = \"METADATA\"";

#[tokio::test]
async fn ten_one_shots_ask_the_instance_once_and_by_its_newer_protocol() {
    let house = House::new().await;
    for profile in 0..10 {
        house.broker(INSTANCE, Manner::OneShot).credentials(&format!("p{profile}"), 0).await.unwrap();
    }
    let asked: Vec<_> =
        house.rig.standin.requests().into_iter().filter(|ask| ask.path.starts_with("/latest")).collect();
    assert_eq!(asked.iter().map(|ask| ask.method.as_str()).collect::<Vec<_>>(), ["PUT", "GET", "GET"]);
    assert_eq!(house.roles(), (0, 10));
    house.clock.advance(6 * 3600 - 10);
    house.rig.standin.set_life(12 * 3600);
    house.broker(INSTANCE, Manner::OneShot).credentials("p0", 0).await.unwrap();
    assert_eq!(house.rig.standin.count("/latest"), 6, "its keys are renewed a little before they end");
}

#[tokio::test]
async fn what_an_instance_does_not_give_is_told() {
    let house = House::new().await;
    let told = async |path: &str, behaviour: Behaviour| {
        house.rig.standin.behave(path, behaviour);
        let error = house.broker(INSTANCE, Manner::OneShot).credentials("p0", 0).await.unwrap_err();
        house.rig.standin.behave(path, Behaviour::default());
        house.clock.advance(600);
        (error.kind(), error.text())
    };
    let roles = "/latest/meta-data/iam/security-credentials/";
    let (kind, text) = told(roles, Behaviour::status(404)).await;
    assert!(kind == Kind::Configuration && text.contains("no role"), "{text}");
    let (kind, text) = told(roles, Behaviour::json(200, "../../../user-data")).await;
    assert!(kind == Kind::Configuration && text.contains("no role"), "what is no name is not asked for: {text}");
    let (kind, text) = told("/latest/api", Behaviour::status(403)).await;
    assert!(kind == Kind::Configuration && text.contains("switched off"), "{text}");
    let (kind, text) = told(&format!("{roles}worker"), Behaviour::PastExpiration).await;
    assert!(kind == Kind::Unavailable && text.contains("keys ended at"), "{text}");
    let (kind, text) = told(&format!("{roles}worker"), Behaviour::MissingExpiration).await;
    assert!(kind == Kind::Protocol, "{text}");
    let failed = r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}"#;
    let (kind, text) = told(&format!("{roles}worker"), Behaviour::json(200, failed)).await;
    assert!(kind == Kind::Configuration && text.contains("cannot use its role"), "{text}");
    let gone = house.broker(INSTANCE, Manner::OneShot);
    house.rig.standin.clone().stop().await;
    let error = gone.credentials("p0", 0).await.unwrap_err();
    assert!(error.kind() == Kind::Unavailable && error.to_string().contains("do not answer"), "{}", error.text());
}
