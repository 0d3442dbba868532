//! A named profile of `~/.aws` followed through the files, with nothing asked and nothing run.

use super::*;
use std::collections::HashMap;

/// A home with these files, in which a program prints `.1`.
#[derive(Debug, Default)]
pub(super) struct Home(pub(super) HashMap<&'static str, String>, pub(super) Option<String>);

impl Environment for Home {
    fn variable(&self, name: &str) -> Option<String> {
        panic!("a daemon's variables may be another's: {name}")
    }
    fn file<'a>(&'a self, path: &'a Path, readers: Readers) -> Later<'a, Result<Option<Secret>, Error>> {
        let path = path.to_str().unwrap();
        let expected = match path {
            CONFIG => Readers::Anyone,
            MOUNTED => Readers::AsMounted,
            _ => Readers::OwnerAlone,
        };
        assert_eq!(readers, expected, "{path}");
        Box::pin(std::future::ready(Ok(self.0.get(path).map(Secret::new))))
    }
    fn output<'a>(&'a self, program: &'a [String]) -> Later<'a, Result<Secret, Error>> {
        let printed = self.1.as_ref().unwrap_or_else(|| panic!("nothing may be run here: {program:?}"));
        Box::pin(std::future::ready(Ok(Secret::new(printed))))
    }
}

const CONFIG: &str = "~/.aws/config";
const CREDENTIALS: &str = "~/.aws/credentials";
const MOUNTED: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";

pub(super) fn home(config: &str) -> Home {
    let keys = "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = marker\n";
    Home(HashMap::from([(CONFIG, config.to_owned()), (CREDENTIALS, keys.to_owned())]), None)
}

pub(super) fn read(profile: &str, home: &Home) -> Result<Secret, Error> {
    run(built(&[("profile", profile)]).unwrap().elsewhere().unwrap().read(home))
}

fn refused(profile: &str, config: &str) -> String {
    let error = read(profile, &home(config)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{}", error.text());
    assert!(!error.text().contains("marker"));
    error.text()
}

#[test]
fn a_profile_is_followed_to_the_keys_at_its_end() {
    let config = "[profile dev]\nrole_arn = r-dev\nsource_profile = hub\nexternal_id = x\nduration_seconds = 900\n\
                  [profile hub]\nrole_arn = r-hub\nsource_profile = base\nregion = eu-west-1\n";
    let secret = read("dev", &home(config)).unwrap();
    let recipe = unpack(&secret).unwrap();
    assert_eq!(recipe.roles.iter().map(|role| role.arn.as_str()).collect::<Vec<_>>(), ["r-hub", "r-dev"]);
    assert_eq!((recipe.roles[1].seconds, recipe.roles[1].external_id.as_deref()), (Some(900), Some("x")));
    assert!(matches!(&recipe.base, Base::Keys(keys) if keys.access_key_id == "AKIABASE"));
    let login = built(&[("profile", "dev")]).unwrap();
    assert!(login.asks_issuer(&secret) && !login.asks_issuer(&read("base", &home(config)).unwrap()));
    assert_eq!(read("dev", &home(&format!("{config}[profile other]\nregion = x\n"))).unwrap(), secret);
    assert_ne!(read("dev", &home(&config.replace("r-hub", "r-hub-2"))).unwrap(), secret);
}

#[test]
fn a_web_identitys_token_may_be_one_that_was_mounted_for_us() {
    let mut home = home(&format!("[profile pod]\nrole_arn = r\nweb_identity_token_file = {MOUNTED}\n"));
    let token = crate::jwt::tests::token(r#"{"sub":"ada"}"#);
    home.0.insert(MOUNTED, token.clone());
    let mut recipe = unpack(&read("pod", &home).unwrap()).unwrap();
    assert_eq!(recipe.token().unwrap().text.as_ref().unwrap().expose(), token);
}

#[test]
fn a_profile_that_runs_us_is_refused_before_anything_runs() {
    for command in [
        "valetkey credentials dev",
        "/opt/bin/valetkey-credential-process dev",
        "\"/opt/my tools/valetkey\" credentials dev",
        "'/opt/my tools/valetkey-credential-process' dev",
        "sh -c 'exec /opt/valetkey credentials dev'",
        "env A=b valetkey-credential-process dev",
    ] {
        for at in ["dev", "hub"] {
            let config = format!(
                "[profile dev]\nrole_arn = r\nsource_profile = hub\n[profile hub]\ncredential_process = {command}\n"
            );
            let text = refused(at, &config);
            assert!(text.contains("profile hub") && text.contains("ask itself"), "{command}: {text}");
        }
        // Beside keys, too: another program that reads the profile may take the other way.
        refused("base", &format!("[profile base]\ncredential_process = {command}\n"));
    }
    let other = "[profile dev]\ncredential_process = /opt/valetkey-not keys valetkey\n";
    assert!(read("dev", &home(other)).is_ok());
}

#[test]
fn a_chain_without_an_end_is_an_error_and_so_is_a_profile_that_is_not_there() {
    let text =
        refused("a", "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = a\n");
    assert!(text.contains("itself: a -> b -> a\n"), "{text}");
    assert!(refused("bsae", "").contains("did you mean base?"));
    let text = refused("dev", "[profile dev]\nrole_arn = r\nsource_profile = gone\n");
    assert!(text.contains("no profile gone, the source_profile of dev"), "{text}");
    let both =
        "[profile base]\nrole_arn = r-2\nsource_profile = a\n[profile dev]\nrole_arn = r-1\nsource_profile = base\n";
    let roles = unpack(&read("dev", &home(both)).unwrap()).unwrap().roles;
    assert_eq!(roles.len(), 1, "a source's keys come before the role that it could assume");
    let own = "[profile base]\nrole_arn = r\nsource_profile = base\n";
    assert_eq!(unpack(&read("base", &home(own)).unwrap()).unwrap().roles.len(), 1, "its own keys, then its role");
}

#[test]
fn what_a_daemon_cannot_do_is_said() {
    for (lines, said) in [
        ("role_arn = r\nsource_profile = base\nmfa_serial = m", "wants a code"),
        ("role_arn = r\ncredential_source = Environment", "from the environment"),
        ("role_arn = r\ncredential_source = EcsContainer", "from the environment"),
        ("role_arn = r", "no source_profile"),
        ("login_session = x", "aws login"),
        ("region = x", "no keys"),
        ("sso_session = none", "not there"),
        ("sso_start_url = u\nsso_region = evil.org/", "none"),
        ("aws_access_key_id = x", "no aws_secret_access_key"),
        ("credential_process = \"unclosed", "no command"),
    ] {
        let text = refused("dev", &format!("[profile dev]\n{lines}\n"));
        assert!(text.contains(said), "{lines}: {text}");
    }
}
