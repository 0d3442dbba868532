//! The machine's clocks.

use crate::ports::{Clock, Later, Moment};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;

/// The wall clock, the boot-time clock, and which boot it is.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot_id: String,
}

impl SystemClock {
    pub fn new() -> SystemClock {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        SystemClock { boot_id: boot_id.trim().to_owned() }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // This is the clock that everyone else is to ask.
    fn now(&self) -> Moment {
        let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(boot.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(boot.tv_nsec).unwrap_or(0);
        Moment { wall: jiff::Timestamp::now(), boot: Duration::new(seconds, nanos), boot_id: self.boot_id.clone() }
    }

    /// One wake-up, where tokio's own timers take three for half a minute: they come near in steps. A suspend counts:
    /// whose time is over by its end is woken then.
    fn sleep(&self, time: Duration) -> Later<'_, ()> {
        Box::pin(async move {
            // Without a descriptor to be had, tokio's will do.
            if by_the_kernel(time).await.is_err() {
                tokio::time::sleep(time).await;
            }
        })
    }
}

async fn by_the_kernel(time: Duration) -> std::io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    // No time at all would be a timer that never ends.
    let time = Timespec::try_from(time.max(Duration::from_nanos(1))).map_err(std::io::Error::other)?;
    let once = Itimerspec { it_interval: Timespec::default(), it_value: time };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    // It becomes readable as a pipe does, and a pipe's is the one safe way to give tokio a descriptor.
    Receiver::from_owned_fd_unchecked(timer)?.readable().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn t6_a_sleep_is_one_wait_and_none_too_short() {
        let (clock, parks) = (SystemClock::new(), Arc::new(AtomicUsize::new(0)));
        let counted = parks.clone();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().on_thread_park(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let runtime = runtime.build().unwrap();
        let before = clock.now().boot;
        runtime.block_on(clock.sleep(Duration::from_millis(333)));
        assert_eq!(parks.load(Ordering::Relaxed), 1);
        assert!(clock.now().boot - before >= Duration::from_millis(333));
        runtime.block_on(clock.sleep(Duration::ZERO));
    }
}
