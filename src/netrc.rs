//! `~/.netrc`: the entry of one machine. A `default` entry is never used: it would send a password anywhere.

use crate::secret::Secret;

/// User and password of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub login: String,
    pub password: Secret,
}

/// The first entry of `machine` that has both a login and a password, in one line or several.
///
/// A `#` begins a comment where a word could begin; inside a value it is a character like others, as curl reads it.
/// A `macdef` runs to the next empty line.
pub fn find(text: &str, machine: &str) -> Option<Entry> {
    let mut ours = false;
    let (mut login, mut password) = (None, None);
    let mut words = Words { rest: text };
    loop {
        let word = words.next();
        let over = matches!(word.as_deref(), None | Some("machine" | "default"));
        if over && ours && login.is_some() && password.is_some() {
            return login.zip(password).map(|(login, password)| Entry { login, password: Secret::new(password) });
        }
        match word?.as_str() {
            "machine" => {
                ours = words.next()? == machine;
                (login, password) = (None, None);
            }
            "default" => ours = false,
            "login" | "user" => login = words.value(ours, login)?,
            "password" | "passwd" => password = words.value(ours, password)?,
            "account" => drop(words.next()),
            "macdef" => words.skip_macro(),
            _ => {}
        }
    }
}

struct Words<'a> {
    rest: &'a str,
}

impl Words<'_> {
    /// The next word; a quoted one may hold blanks and, after a backslash, quotes.
    fn next(&mut self) -> Option<String> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix('#') {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => break,
            }
        }
        self.word()
    }

    /// A value, which may begin with `#`; kept only where the entry is ours and has none yet.
    fn value(&mut self, ours: bool, known: Option<String>) -> Option<Option<String>> {
        self.rest = self.rest.trim_start();
        let word = self.word()?;
        Some(known.or(ours.then_some(word)))
    }

    fn word(&mut self) -> Option<String> {
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let mut word = String::new();
            let mut characters = quoted.char_indices();
            while let Some((index, c)) = characters.next() {
                match c {
                    '"' => {
                        self.rest = &quoted[index + 1..];
                        return Some(word);
                    }
                    '\\' => word.extend(characters.next().map(|(_, c)| c)),
                    c => word.push(c),
                }
            }
            return None;
        }
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn skip_macro(&mut self) {
        let after = self.rest.find("\n\n").map(|at| at + 2).or_else(|| self.rest.find("\r\n\r\n").map(|at| at + 4));
        self.rest = after.map_or("", |at| &self.rest[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const URS: &str = "urs.earthdata.nasa.gov";

    fn found(text: &str) -> Option<(String, String)> {
        find(text, URS).map(|entry| (entry.login, entry.password.expose().to_owned()))
    }

    #[test]
    fn one_line_and_several_are_read_alike() {
        let expected = Some(("ada".to_owned(), "p#w".to_owned()));
        for text in [
            "machine urs.earthdata.nasa.gov login ada password p#w",
            "machine urs.earthdata.nasa.gov\n\tlogin ada\n\tpassword p#w\n",
            "# mine\nmachine other login x password y\nmachine urs.earthdata.nasa.gov password p#w login ada # so\n",
            "macdef init\nmachine urs.earthdata.nasa.gov login evil password evil\n\nmachine urs.earthdata.nasa.gov login ada password \"p#w\"",
            "machine urs.earthdata.nasa.gov login ada account x password p#w\ndefault login d password e",
            "machine urs.earthdata.nasa.gov login half\nmachine urs.earthdata.nasa.gov login ada password p#w",
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_default_entry_or_a_look_alike_is_never_used() {
        for text in [
            "default login ada password p",
            "machine urs.earthdata.nasa.gov.evil.org login ada password p",
            "machine URS login ada password p",
            "machine urs.earthdata.nasa.gov login ada",
            "machine urs.earthdata.nasa.gov default login ada password p",
            "machine urs.earthdata.nasa.gov login ada password \"open",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_loop(text in "\\PC{0,200}") {
            let _ = find(&text, URS);
        }
    }
}
