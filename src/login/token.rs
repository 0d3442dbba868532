//! A bearer token that another program keeps: in a file (craycli's, a mounted service account's) or printed by a command.
//! It is read anew for each use, and never written.

use super::{About, Access, AccessRequest, Elsewhere, Granted, Kind, Login, SignIn};
use crate::access::Need;
use crate::credentials::written;
use crate::error::Error;
use crate::jwt;
use crate::ports::{Environment, Later};
use crate::secret::Secret;
use crate::settings::{Key, Settings, Shape};
use std::path::PathBuf;
use std::sync::Arc;

pub const KIND: Kind = Kind {
    name: "token",
    summary: "a bearer token that another program keeps, in a file or printed by a command",
    keys: &[
        Key {
            name: "file",
            shape: Shape::Path,
            required: false,
            help: "holds the token, bare or as access_token of a JSON object (craycli's); mode 0600, or mounted for a \
                   container: on a read-only mount or below /var/run/secrets",
        },
        Key {
            name: "command",
            shape: Shape::List,
            required: false,
            help: "or a program that prints it, without a shell: [\"/usr/bin/oidc-token\", \"hpc\"]",
        },
    ],
    gives: &[Need::Bearer, Need::WebIdentity],
    build: |name, settings| {
        let source = source(settings)?;
        Ok(Arc::new(Token { name: name.to_owned(), source }))
    },
};

#[derive(Debug)]
struct Token {
    name: String,
    source: Source,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    Command(Vec<String>),
}

fn source(settings: &Settings) -> Result<Source, Error> {
    match (settings.path("file"), settings.list("command")) {
        (Some(file), []) => Ok(Source::File(file)),
        (None, [program, ..]) if program.contains('/') && !program.starts_with('/') => {
            let fix = "write the program's whole path, or its name alone";
            Err(settings.refuse("command", "command is a relative path", fix))
        }
        (None, command @ [_, ..]) => Ok(Source::Command(command.to_vec())),
        (Some(_), _) => Err(settings.refuse("command", "it has both file and command", "leave one of them out")),
        (None, []) => Err(settings.refuse("file", "it has neither file nor command", "add file = \"..\"")),
    }
}

impl Login for Token {
    fn sign_in<'a>(&'a self, _: &'a SignIn<'a>) -> Later<'a, Result<Secret, Error>> {
        let error = Error::configuration(
            format!("the token of {} is read from {}", self.name, self.place()),
            "sign in with the program that keeps it",
        );
        Box::pin(std::future::ready(Err(error)))
    }

    fn access<'a>(&'a self, ask: AccessRequest<'a>) -> Later<'a, Result<Granted, Error>> {
        Box::pin(std::future::ready(self.grant(&ask)))
    }

    fn asks_issuer(&self, _: &Secret) -> bool {
        false
    }

    fn elsewhere(&self) -> Option<&dyn Elsewhere> {
        Some(self)
    }

    fn about(&self, secret: &Secret) -> About {
        let claims = jwt::claims(secret.expose()).unwrap_or_default();
        About { who: claims.uid, until: claims.expires, made_by_hand: false }
    }
}

impl Token {
    fn grant(&self, ask: &AccessRequest<'_>) -> Result<Granted, Error> {
        if ask.rejected.is_some_and(|rejected| *rejected == Access::Bearer(ask.secret.clone())) {
            return Err(Error::sign_in(&self.name, format!("the token in {} is not accepted", self.place())));
        }
        let expires = jwt::claims(ask.secret.expose()).and_then(|claims| claims.expires);
        match expires {
            Some(end) if end <= ask.now.wall => {
                let message = format!("the token in {} expired at {}", self.place(), written(end));
                Err(Error::sign_in(&self.name, message))
            }
            _ => Ok(Granted { access: Access::Bearer(ask.secret.clone()), expires, rotated: None }),
        }
    }
}

impl Elsewhere for Token {
    fn place(&self) -> String {
        match &self.source {
            Source::File(file) => file.display().to_string(),
            Source::Command(command) => format!("what {} prints", command.first().map_or("", String::as_str)),
        }
    }

    fn runs_a_program(&self) -> bool {
        matches!(self.source, Source::Command(_))
    }

    fn read<'a>(&'a self, environment: &'a dyn Environment) -> Later<'a, Result<Secret, Error>> {
        Box::pin(async move {
            let text = match &self.source {
                Source::File(file) => environment.token_file(file).await?,
                Source::Command(command) => environment.output(command).await?,
            };
            let token = jwt::bare(&text);
            // Half a file would go out as a token, and count as a failed attempt.
            match jwt::claims(token.expose()) {
                Some(_) => Ok(token),
                None => Err(Error::configuration(
                    format!("there is no token in {}", self.place()),
                    "a token is a JWT of three parts, bare or as access_token of a JSON object",
                )),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::tests::token;
    use crate::ports::Readers;
    use std::path::Path;

    /// A home in which the file is `self.0`, and every program prints it.
    #[derive(Debug)]
    struct Everywhere(&'static str);

    impl Environment for Everywhere {
        fn variable(&self, _: &str) -> Option<String> {
            panic!("a daemon's variables may be another's")
        }
        fn file<'a>(&'a self, _: &'a Path, readers: Readers) -> Later<'a, Result<Option<Secret>, Error>> {
            assert_eq!(readers, Readers::AsMounted);
            Box::pin(std::future::ready(Ok(Some(Secret::new(self.0)))))
        }
        fn output<'a>(&'a self, _: &'a [String]) -> Later<'a, Result<Secret, Error>> {
            Box::pin(std::future::ready(Ok(Secret::new(self.0))))
        }
    }

    fn built(settings: &[(&str, &[&str])]) -> Result<Arc<dyn Login>, Error> {
        let mut read = Settings::new(Path::new("/c"), "logins.t", None);
        for (name, texts) in settings {
            let key = KIND.keys.iter().find(|key| key.name == *name).unwrap();
            read.insert(key, texts.iter().map(|text| (*text).to_owned()).collect(), None, Path::new("/home")).unwrap();
        }
        (KIND.build)("t", &read)
    }

    fn read(login: &dyn Login, text: &str) -> Result<Secret, Error> {
        let home = Everywhere(text.to_owned().leak());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(login.elsewhere().unwrap().read(&home))
    }

    #[test]
    fn a_token_is_read_bare_or_as_craycli_leaves_it_from_a_file_or_a_command() {
        let jwt = token(r#"{"sub":"ada"}"#);
        let craycli = format!(r#"{{"access_token":"{jwt}","refresh_token":"never spent","expires_at":1.5}}"#);
        for settings in [[("file", &["/t"][..])], [("command", &["oidc-token", "hpc"][..])]] {
            let login = built(&settings).unwrap();
            for text in [&jwt, &format!("{jwt}\n"), &craycli] {
                assert_eq!(read(&*login, text).unwrap().expose(), jwt);
            }
            for bad in ["", "hunter2", &craycli[..40]] {
                let error = read(&*login, bad).unwrap_err();
                assert!(error.hint().contains("JWT") && !error.to_string().contains("hunter2"), "{bad}");
            }
        }
    }

    #[test]
    fn one_place_is_named_and_no_more() {
        for bad in [&[][..], &[("file", &["/t"][..]), ("command", &["x"][..])], &[("command", &["bin/x"][..])]] {
            assert!(built(bad).is_err(), "{bad:?}");
        }
    }
}
