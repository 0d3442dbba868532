//! One thing that was looked at: how it is, and what to do about it.

use crate::error::{Error, printable};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    level: Level,
    /// What it is about, in a word: `clock`, or a profile's name.
    about: String,
    what: String,
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Fine,
    /// Good to know; nothing fails for it by itself.
    Note,
    Wrong,
}

impl Line {
    pub(super) fn fine(about: &str, what: impl Into<String>) -> Line {
        Line { level: Level::Fine, about: about.to_owned(), what: what.into(), remedy: None }
    }

    pub(super) fn note(about: &str, what: impl Into<String>, remedy: impl Into<String>) -> Line {
        Line { level: Level::Note, about: about.to_owned(), what: what.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn wrong(about: &str, what: impl Into<String>, remedy: impl Into<String>) -> Line {
        Line { level: Level::Wrong, about: about.to_owned(), what: what.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn of_error(about: &str, error: &Error) -> Line {
        Line::wrong(about, error.to_string(), error.hint())
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.level == Level::Wrong
    }

    #[cfg(test)]
    pub(super) fn is_fine(&self) -> bool {
        self.level == Level::Fine
    }

    #[cfg(test)]
    pub(super) fn says(&self, part: &str) -> bool {
        self.what.contains(part) || self.remedy.as_ref().is_some_and(|remedy| remedy.contains(part))
    }
}

/// A line each, the remedy below it; at the end how many are wrong.
pub(super) fn text(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.about.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Line { level, about, what, remedy } in lines {
        let level = match level {
            Level::Fine => "ok",
            Level::Note => "note",
            Level::Wrong => "wrong",
        };
        text += &format!("{level:<5}  {about:<width$}  {}\n", printable(what));
        if let Some(remedy) = remedy {
            text += &format!("{:<5}  {:<width$}  hint: {}\n", "", "", printable(remedy));
        }
    }
    match lines.iter().filter(|line| line.is_wrong()).count() {
        0 => text + "nothing is wrong\n",
        1 => text + "1 thing is wrong\n",
        count => text + &format!("{count} things are wrong\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_has_its_remedy_below_it_and_is_counted() {
        let lines = [Line::fine("helper", "there"), Line::wrong("clock", "41 min ahead\x1b[2J", "set it")];
        assert_eq!(
            text(&lines),
            "ok     helper  there\nwrong  clock   41 min ahead?[2J\n               hint: set it\n1 thing is wrong\n"
        );
        assert!(text(&lines[..1]).ends_with("nothing is wrong\n"));
    }
}
