//! The person at the terminal, if there is one.

use crate::error::Error;
use crate::ports::Prompt;
use crate::secret::Secret;
use std::io::{BufRead, IsTerminal, Write};

/// Asks on the terminal; where standard input is none there is nobody.
#[derive(Debug, Default)]
pub struct Terminal;

impl Terminal {
    fn nobody(question: &str) -> Error {
        let question = question.trim_end_matches([':', ' ']);
        Error::configuration(
            format!("nobody is there to ask for: {question}"),
            "pass it as an option, from a file or with --from-env (see --help)",
        )
    }
}

impl Prompt for Terminal {
    fn someone(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    fn ask(&self, question: &str) -> Result<String, Error> {
        if !self.someone() {
            return Err(Terminal::nobody(question));
        }
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(count) if count > 0 => Ok(line.trim().to_owned()),
            _ => Err(Terminal::nobody(question)),
        }
    }

    fn ask_secret(&self, question: &str) -> Result<Secret, Error> {
        if !self.someone() {
            return Err(Terminal::nobody(question));
        }
        rpassword::prompt_password(question).map(Secret::new).map_err(|_| Terminal::nobody(question))
    }

    fn tell(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
