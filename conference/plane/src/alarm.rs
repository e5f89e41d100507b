//! Wakes a worker at its moment: the timeout of a poll counts whole milliseconds, and what is rounded up telephones hear as jitter.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// Makes its token ready when it goes off.
pub(crate) struct Alarm {
    timer: OwnedFd,
    /// What for it was set last.
    at: Option<Instant>,
}

impl Alarm {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer, at: None })
    }

    /// It goes off then, and for nothing that it was set for before.
    pub(crate) fn set(&mut self, at: Instant) -> io::Result<()> {
        if self.at.replace(at) == Some(at) {
            return Ok(());
        }
        // No time at all would mean never.
        let left = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let it_value =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    #[test]
    fn it_goes_off_each_time_it_is_set_and_not_before() {
        let mut poll = Poll::new().unwrap();
        let mut alarm = Alarm::new(poll.registry(), Token(7)).unwrap();
        let mut events = Events::with_capacity(4);
        for wait in [Duration::from_micros(2_300), Duration::ZERO, Duration::from_micros(400)] {
            let at = Instant::now() + wait;
            // The last word counts.
            alarm.set(at + Duration::from_secs(3_600)).unwrap();
            alarm.set(at).unwrap();
            poll.poll(&mut events, None).unwrap();
            assert_eq!(events.iter().map(mio::event::Event::token).collect::<Vec<_>>(), [Token(7)]);
            assert!(Instant::now() >= at);
        }
    }
}
