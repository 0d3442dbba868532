//! Logins whose secret is in a file that the config names: read anew, refused where others may read it, never stored.

use super::*;
use crate::system::environment::ProcessEnvironment;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

/// A home directory in which `.netrc` and `token` are the user's.
struct House {
    rig: Rig,
    home: TempDir,
}

impl House {
    async fn new() -> House {
        let house = House { rig: Rig::new().await, home: tempfile::tempdir().unwrap() };
        house.rig.standin.add_user("ada", "pw");
        house.rig.keyring.state().entries.clear();
        house
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    fn netrc(&self, password: &str) {
        self.write(".netrc", &format!("machine 127.0.0.1 login ada password {password}\n"));
    }

    /// Ten profiles with that login behind them.
    fn broker(&self, login: &str, manner: Manner) -> Broker {
        let (origin, urs) = (self.rig.standin.url(""), self.rig.standin.url(Standin::URS));
        let mut text = format!("[logins.l]\n{login}\n").replace("URS", &urs);
        for profile in 0..10 {
            let kind = if login.contains("token") { "cray" } else { "earthdata" };
            let place = match kind {
                "cray" => format!("gateway = \"{origin}\""),
                _ => format!("urs = \"{urs}\"\nendpoint = \"{origin}/tea/{profile}/s3credentials\""),
            };
            text += &format!("[profiles.p{profile}]\nprovider = \"{kind}\"\nlogin = \"l\"\n{place}\n");
        }
        let environment = Arc::new(ProcessEnvironment::new(self.home.path().to_owned()));
        let outside = Outside { environment, ..self.rig.outside() };
        let config = Config::parse(&text, Path::new("/config.toml"), self.home.path()).unwrap();
        Broker::new(outside, self.rig.home.path(), config, manner)
    }

    /// The whole answer to a sign-in, refresh token and all.
    async fn as_craycli_leaves_it(&self) -> String {
        let request = crate::ports::Request {
            method: "POST",
            url: self.rig.standin.url(Standin::TOKEN).parse().unwrap(),
            headers: vec![("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded"))],
            body: Some(Secret::new("grant_type=password&client_id=shasta&username=ada&password=pw")),
            limit: Duration::from_secs(20),
            route: crate::ports::Route::default(),
        };
        self.rig.outside().http.send(request).await.unwrap().body.expose().to_owned()
    }

    fn earthdata(&self) -> Broker {
        self.broker("kind = \"earthdata\"\nsource = \"netrc\"\nurs = \"URS\"", Manner::Daemon)
    }
}

async fn all(broker: &Broker) -> Vec<Result<Served, Error>> {
    let mut answers = Vec::new();
    for profile in 0..10 {
        answers.push(broker.credentials(&format!("p{profile}"), 0).await);
    }
    answers
}

#[tokio::test]
async fn ten_profiles_sign_in_with_the_netrc_by_one_token_request_and_nothing_of_it_is_stored() {
    let house = House::new().await;
    house.netrc("pw");
    assert!(all(&house.earthdata()).await.iter().all(Result::is_ok));
    assert_eq!(house.rig.standin.count("/urs/api/users/find_or_create_token"), 1);
    assert!(all(&house.earthdata()).await.iter().all(Result::is_ok), "a restart is answered from the cache");
    assert_eq!((house.rig.standin.count("/urs"), house.rig.asked()), (1, 10));
    assert!(house.rig.keyring.state().entries.is_empty());
}

#[tokio::test]
async fn f08_a_wrong_password_of_the_netrc_is_sent_once_until_the_file_says_another() {
    let house = House::new().await;
    house.netrc("wrong");
    let broker = house.earthdata();
    for _ in 0..20 {
        for answer in all(&broker).await.into_iter().chain(all(&house.earthdata()).await) {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), Kind::LoginRequired);
            assert!(error.hint().contains("~/.netrc"), "{}", error.text());
        }
        house.rig.clock.advance(600);
    }
    assert_eq!(house.rig.standin.count("/urs"), 1);
    house.netrc("pw");
    assert!(all(&broker).await.iter().all(Result::is_ok), "nobody has to run `login`");
    assert_eq!(house.rig.standin.count("/urs"), 2);
}

#[tokio::test]
async fn what_login_says_is_put_right_is_asked_again_though_it_reads_the_same() {
    let house = House::new().await;
    house.netrc("new");
    let broker = house.earthdata();
    assert_eq!(kind(&broker.credentials("p0", 0).await), Kind::LoginRequired);
    house.rig.standin.add_user("ada", "new");
    assert_eq!(kind(&broker.credentials("p1", 0).await), Kind::LoginRequired);
    broker.forgive_login("l").await;
    assert!(all(&broker).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn f12_what_is_put_right_is_asked_again_though_the_disk_takes_no_record() {
    let house = House::new().await;
    house.netrc("new");
    std::fs::write(house.rig.home.path().join("failures"), "").unwrap();
    let broker = house.earthdata();
    assert_eq!(kind(&broker.credentials("p0", 0).await), Kind::LoginRequired);
    house.rig.standin.add_user("ada", "new");
    assert_eq!(kind(&broker.credentials("p1", 0).await), Kind::LoginRequired, "from memory");
    broker.login_changed("other");
    assert_eq!(kind(&broker.credentials("p2", 0).await), Kind::LoginRequired, "which another login is nothing to");
    broker.login_changed("l");
    assert!(all(&broker).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn a_netrc_that_is_no_good_is_named_and_nothing_is_sent() {
    let house = House::new().await;
    let broker = house.earthdata();
    let told = async |what: &str| {
        let error = broker.credentials("p0", 0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration, "{what}: {}", error.text());
        assert!(error.text().contains(".netrc"), "{what}: {}", error.text());
        house.rig.clock.advance(60);
    };
    told("none").await;
    house.write(".netrc", "default login ada password pw\n");
    told("a default entry").await;
    house.netrc("pw");
    std::fs::set_permissions(house.home.path().join(".netrc"), Permissions::from_mode(0o640)).unwrap();
    told("others may read it").await;
    assert_eq!((house.rig.standin.count("/urs"), house.rig.asked()), (0, 0));
    assert_eq!(house.rig.keyring.state().key, None, "for what is not there no key is made");
}

#[tokio::test]
async fn s23_a_token_in_a_file_is_read_again_when_another_program_replaced_it() {
    let house = House::new().await;
    let login = "kind = \"token\"\nfile = \"~/token\"";
    let broker = house.broker(login, Manner::Daemon);
    house.write("token", &house.rig.standin.mint_token("ada", -1));
    let error = broker.credentials("p0", 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::LoginRequired);
    assert!(error.to_string().contains("expired") && error.hint().contains("token"), "{}", error.text());
    assert_eq!(house.rig.standin.count("/apis"), 0, "that it is over is known without asking");
    house.write("token", &house.as_craycli_leaves_it().await);
    house.rig.clock.advance(10);
    broker.credentials("p0", 0).await.unwrap();
    assert_eq!(house.rig.standin.count("/apis"), 1);
    assert_eq!(house.rig.standin.count("/keycloak"), 1, "its refresh token is never spent");
}

#[tokio::test]
async fn a_secret_that_was_typed_for_one_issuer_is_not_sent_to_the_next_that_the_config_names() {
    let rig = Rig::new().await;
    let config = |host: &str| {
        let text = format!(
            "[logins.l]\nkind = \"keycloak\"\ntoken_url = \"https://{host}/token\"\nusername = \"ada\"\n\
             [profiles.p]\nprovider = \"cray\"\nlogin = \"l\"\ngateway = \"{}\"\n",
            rig.standin.url("")
        );
        rig.config_of(&text)
    };
    let entry = config("sso.invalid").login("l").unwrap().clone();
    let secret = Secret::new(r#"{"password":{"username":"ada","password":"pw"}}"#);
    rig.keyring.put("l", &StoredLogin::signed_in("keycloak", secret).for_issuer(entry.login.given_to()));
    let error = rig.with(config("other.invalid"), Manner::Daemon).credentials("p", 0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::LoginRequired, "{}", error.text());
    assert!(error.to_string().contains("https://sso.invalid") && error.hint().contains("valetkey login l"));
    let same = rig.with(config("sso.invalid"), Manner::Daemon).credentials("p", 0).await.unwrap_err();
    assert_eq!(same.kind(), Kind::Unavailable, "asked, and not there: {}", same.text());
}
