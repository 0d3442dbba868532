//! A daemon that a test started itself: ended, and waited for, with the test.

use std::ops::{Deref, DerefMut};
use std::process::Child;

pub(crate) struct Daemon(pub(super) Child);

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
