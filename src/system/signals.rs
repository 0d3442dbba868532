//! Signals for a program that we run in the foreground: passed on to it, unless it got them as we did.

use crate::error::Error;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::siginfo::Cause;

/// Signals that we have caught, from now until the program that they are for has ended.
#[derive(Debug)]
pub struct Caught(SignalsInfo<WithOrigin>);

const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

impl Caught {
    /// Catches what is not ignored: `nohup` and shells that run something behind a prompt ignore some for their programs,
    /// and a handler of ours would take that from them.
    pub fn new() -> Result<Caught, Error> {
        let ignored = ignored();
        let signals = PASSED_ON.into_iter().filter(|signal| !ignored.contains(signal));
        SignalsInfo::new(signals)
            .map(Caught)
            .map_err(|error| Error::configuration(format!("no signals here: {error}"), "see: ulimit -i"))
    }

    /// Passes them on to the process `child`, on a thread of its own, until [`Passing`] is dropped.
    pub fn pass_on(mut self, child: u32) -> Passing {
        let passing = Passing(self.0.handle());
        std::thread::spawn(move || {
            for origin in self.0.forever() {
                if is_for_us_alone(&origin) {
                    send(child, origin.signal);
                }
            }
        });
        passing
    }
}

/// Ends the passing on when dropped. The handlers stay: a late signal does not end us before we have tidied up.
#[derive(Debug)]
pub struct Passing(signal_hook::iterator::Handle);

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Ends this process by `signal` as if it had never been caught; returns where that does not end it.
pub fn die_of(signal: i32) {
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

/// What a terminal sends goes to the whole foreground group: the child has got it. Its end is told to the leader of the
/// session alone.
fn is_for_us_alone(origin: &Origin) -> bool {
    let leads = || rustix::process::getsid(None).is_ok_and(|session| session == rustix::process::getpid());
    !matches!(origin.cause, Cause::Kernel) || (origin.signal == SIGHUP && leads())
}

fn send(child: u32, signal: i32) {
    let pid = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw);
    if let (Some(pid), Some(signal)) = (pid, rustix::process::Signal::from_named_raw(signal)) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// The signals that are ignored by this process.
pub fn ignored() -> Vec<i32> {
    ignored_in(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The signals that `SigIgn` of /proc/PID/status names, a bit for each.
fn ignored_in(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ignored_from_the_start_is_read_from_the_kernels_mask() {
        assert_eq!(ignored_in("Name:\tx\nSigIgn:\t0000000000001005\nSigCgt:\tffff\n"), [1, 3, 13]);
        assert_eq!(ignored_in("nothing of it"), [0; 0]);
    }
}
