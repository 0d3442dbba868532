//! The person at the terminal, if there is one.

use crate::error::Error;
use crate::ports::Prompt;
use crate::secret::Secret;
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{BufRead, IsTerminal, Write};
use tokio::signal::unix::{SignalKind, signal};

/// Asks on the terminal; where standard input is none there is nobody.
#[derive(Debug, Default)]
pub struct Terminal;

impl Terminal {
    fn nobody(question: &str, fix: &str) -> Error {
        let question = question.trim_end_matches([':', ' ']);
        Error::configuration(format!("nobody is there to ask for: {question}"), fix)
    }
}

/// Ctrl-D at a prompt.
fn nothing_typed() -> Error {
    Error::configuration("nothing was typed", "try again; nothing was changed")
}

/// Ctrl-C at a prompt.
fn interrupted() -> Error {
    Error::configuration("interrupted", "nothing was changed")
}

impl Prompt for Terminal {
    fn someone(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    fn ask(&self, question: &str) -> Result<String, Error> {
        if !self.someone() {
            return Err(Terminal::nobody(question, "pass it (see --help)"));
        }
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
        let mut line = String::new();
        // A read would go on after a signal that is caught; a poll does not.
        if poll(&mut [PollFd::new(&std::io::stdin(), PollFlags::IN)], None).is_err() {
            return Err(interrupted());
        }
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(count) if count > 0 => Ok(line.trim().to_owned()),
            _ => Err(nothing_typed()),
        }
    }

    fn ask_secret(&self, question: &str) -> Result<Secret, Error> {
        if !self.someone() {
            return Err(Terminal::nobody(
                question,
                "pipe it in with --from-file - or name its variables with --from-env",
            ));
        }
        // Uncaught, the signal would end us before the terminal echoes again. Once caught it stays so: whoever asks for
        // secrets ends by it himself.
        let _caught = signal(SignalKind::interrupt());
        rpassword::prompt_password(question).map(Secret::new).map_err(|error| match error.kind() {
            std::io::ErrorKind::Interrupted => interrupted(),
            _ => nothing_typed(),
        })
    }

    fn tell(&self, line: &str) {
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}
