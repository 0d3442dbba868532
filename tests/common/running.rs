//! A daemon that a test started itself: ended, and waited for, with the test.

use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, Stdio};

pub(crate) struct Daemon(Child);

impl Daemon {
    /// The daemon of `command`, a bare `valetkey`, once it answers.
    pub(crate) fn start(mut command: Command) -> Daemon {
        let mut daemon = command.args(["daemon", "--detached"]).stderr(Stdio::null()).spawn().unwrap();
        assert_eq!(super::read_to_end(&mut daemon), "\n", "the daemon is ready");
        Daemon(daemon)
    }
}

impl Deref for Daemon {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Daemon {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
