//! The password dance: each outcome and what it cost, and that nobody saw what was not for him.

mod elsewhere;
mod outcomes;
mod turns;

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const PASSWORD: &str = "p w:x";
const PAGE: &str = "/urs/oauth/authorize";

/// Ada, at an archive that takes no bearer. Earthdata Login is the stand-in of the rig, the archive another of the same
/// organisation, the stranger one of nobody's.
struct Place {
    rig: Rig,
    archive: Standin,
    stranger: Standin,
}

impl Place {
    /// Signed in by password, with a token that is stored already.
    async fn new() -> Place {
        let place = Place::with_token().await;
        place.rig.standin.add_user("ada", PASSWORD);
        let variables = [("EARTHDATA_USERNAME", "ada"), ("EARTHDATA_PASSWORD", PASSWORD)];
        place.rig.sign_in(&place.config(&["p"]), "earthdata", "", &variables).await;
        place.daemon(&["p"]).token("earthdata").await.unwrap();
        place
    }

    /// Signed in by a token alone.
    async fn with_token() -> Place {
        let rig = Rig::new().await;
        let archive = rig.standin.start_beside().await.unwrap();
        let stranger = Standin::start_by(rig.clock.clone()).await.unwrap();
        for path in ["/tea/", "/cumulus/"] {
            archive.behave(path, Behaviour::TakesNoBearer);
        }
        Place { rig, archive, stranger }
    }

    /// These profiles, each with an endpoint of its own: at Cumulus if its name begins so, else at TEA.
    fn config(&self, profiles: &[&str]) -> Config {
        let urs = self.rig.standin.url(Standin::URS);
        let mut text = format!("[logins.earthdata]\nkind = \"earthdata\"\nurs = \"{urs}\"\n");
        for name in profiles {
            let kind = if name.starts_with("cumulus") { "cumulus" } else { "tea" };
            let endpoint = self.archive.url(&format!("/{kind}/{name}/s3credentials"));
            text += &format!("[profiles.{name}]\nprovider = \"earthdata\"\nlogin = \"earthdata\"\n");
            text += &format!("endpoint = \"{endpoint}\"\nurs = \"{urs}\"\n");
        }
        self.rig.config_of(&text)
    }

    fn daemon(&self, profiles: &[&str]) -> Broker {
        self.rig.with(self.config(profiles), Manner::Daemon)
    }

    async fn ask(&self, profile: &str) -> Result<Served, Error> {
        let broker = self.daemon(&[profile]);
        let answer = broker.credentials(profile, 0).await;
        broker.settle(LONGEST_WAIT).await;
        answer
    }

    /// The endpoint's `n`th answer from here on is another: to the bearer, to nobody, to the cookie.
    fn nth(&self, n: usize, behaviour: Behaviour) {
        for _ in 1..n {
            self.archive.behave_once("/tea/p/", Behaviour::TakesNoBearer);
        }
        self.archive.behave_once("/tea/p/", behaviour);
    }

    /// Returns when somebody could have asked many times over.
    async fn pass_time(&self) {
        let (http, url) = (self.rig.outside().http, self.stranger.url("/"));
        for _ in 0..200 {
            let (url, limit, route) = (url.parse().unwrap(), LONGEST_WAIT, Default::default());
            let request = crate::ports::Request { method: "GET", url, headers: Vec::new(), body: None, limit, route };
            http.send(request).await.unwrap();
        }
    }

    /// What an endpoint gives that looks at nothing.
    fn keys(&self) -> String {
        let end = self.rig.clock.now().wall + jiff::SignedDuration::from_hours(1);
        format!(r#"{{"accessKeyId":"A","secretAccessKey":"B","sessionToken":"C","expiration":"{end}"}}"#)
    }

    /// Requests to the archive, and to Earthdata Login since ada signed in.
    fn asked(&self) -> (usize, usize) {
        let at_login = self.rig.standin.count("/") - self.rig.standin.count("/urs/api/users/find_or_create_token");
        (self.archive.count("/"), at_login)
    }

    /// Nobody saw what was not for him: the password is Earthdata Login's page's alone, the cookies the archive's.
    fn nothing_leaked(&self, title: &str) {
        assert_eq!(self.stranger.count("/"), 0, "{title}: the stranger was asked");
        let encoded = STANDARD.encode(format!("ada:{PASSWORD}"));
        let tells = |request: &crate::standin::Logged| {
            request.mentions(PASSWORD) || request.mentions(&encoded) || request.mentions("Basic ")
        };
        for request in self.archive.requests() {
            assert!(!tells(&request), "{title}: the archive saw the password");
            let who = ["authorization", "cookie"].map(|name| request.header(name).is_some());
            assert_ne!(who, [true, true], "{title}: a cookie with a bearer");
        }
        for request in self.rig.standin.requests() {
            assert!(request.header("cookie").is_none(), "{title}: Earthdata Login saw a cookie");
            assert!(!request.mentions("asf-urs") && !request.mentions("accessToken"), "{title}");
            let told = request.path == PAGE || request.path == "/urs/api/users/find_or_create_token";
            assert_eq!(tells(&request), told, "{title}: {}", request.path);
        }
        self.rests_nowhere(title);
    }

    /// Neither on disk nor among the stored access.
    fn rests_nowhere(&self, title: &str) {
        let mut folders = vec![self.rig.home.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
                assert!(!text.contains(PASSWORD) && !text.contains("asf-urs"), "{title}: {:?}", entry.path());
            }
        }
    }
}

fn to(code: u16, location: &str, headers: &[(&str, &str)]) -> Behaviour {
    let location = ("location", location);
    let headers = headers.iter().chain([&location]).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Behaviour::Status { code, content_type: "text/plain".to_owned(), body: String::new(), headers }
}
