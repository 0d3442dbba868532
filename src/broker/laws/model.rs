//! A world of one profile: the slots, records, leases and budgets are the broker's own, what is around them is made up.
//!
//! A flight does here what `flight.rs` does, in the same order, with a disk, a lock and an issuer that are fields.

use super::schedule::{Behaviour, Mishap, Schedule};
use crate::broker::Manner;
use crate::broker::budget::Budget;
use crate::broker::disk::Owner;
use crate::broker::flight::Outcome;
use crate::broker::records::{Case, next_record};
use crate::broker::scheduler::plan;
use crate::broker::slot::{Decision, Flying, Slot};
use crate::broker::wish::Wish;
use crate::cache::{Fingerprint, Record};
use crate::credentials::tests::sample;
use crate::error::Error;
use crate::freshness::{LEAST_SERVED, LONGEST_WAIT};
use crate::lease::{Issued, Lease};
use crate::ports::Moment;
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What happened, for the laws to judge. Times are milliseconds since the start.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) answers: Vec<Given>,
    pub(super) refused: Vec<i64>,
    /// When the machine woke in a flight, or took in what came meanwhile.
    pub(super) slept: Vec<i64>,
    pub(super) starts: Vec<Start>,
    pub(super) asks: Vec<Ask>,
    /// More than one at once, or one right after the other without an end.
    pub(super) wrong: Option<String>,
}

#[derive(Debug)]
pub(super) struct Given {
    /// Seconds by the process's clocks, and in truth.
    pub(super) remaining: i64,
    pub(super) truly: i64,
    /// It was on its way while the machine slept.
    pub(super) slept: bool,
}

/// A flight begins.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) at: i64,
    /// Nobody needed it: there were credentials to serve.
    pub(super) unforced: bool,
    /// When this process last had a success, and of what life.
    pub(super) success: Option<(i64, i64)>,
    pub(super) last_request: Option<i64>,
    /// The credentials that it was to renew.
    pub(super) life: i64,
}

/// A request at the issuer.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) at: i64,
    pub(super) follows_a_failure: bool,
    /// The secret had been let in before.
    pub(super) worked: bool,
    /// None: the process was killed meanwhile.
    pub(super) came: Option<Came>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    Issued,
    Failed,
    Denied,
    Rejected,
}

pub(super) fn run(schedule: &Schedule) -> Trace {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut world = World::new(schedule, runtime.spawn(async {}).abort_handle());
    world.run();
    world.trace
}

struct World<'a> {
    schedule: &'a Schedule,
    trace: Trace,
    now: i64,
    /// By which the wall clock is off, in seconds.
    off: i64,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    numbers: u64,
    processes: Vec<Process>,
    disk: DiskState,
    lock: Option<usize>,
    last_issued: Option<Timestamp>,
    /// When it began, where a request begins it.
    second_episode: Option<i64>,
    /// As soon as a request is on its way.
    suspends_for: Option<i64>,
    slept: HashSet<Timestamp>,
    print: Fingerprint,
    task: AbortHandle,
    dice: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Request(usize),
    Mishap(usize),
    Wake(usize, u64),
    /// A look at a lock that somebody else holds.
    Poll(usize, u64),
    Answer(usize, u64),
    GiveUp(usize, u64),
}

struct Process {
    slot: Slot,
    budget: Budget,
    flight: Option<Flight>,
    waiters: Vec<u64>,
    /// Of the scheduler's sleep.
    sleep: u64,
    success: Option<(i64, i64)>,
    last_request: Option<i64>,
}

struct Flight {
    id: u64,
    outcome: watch::Sender<Option<Outcome>>,
    called: Moment,
    before: Option<Record>,
    deadline: i64,
    asked: Option<Asked>,
}

struct Asked {
    ask: usize,
    at: Moment,
    sent: i64,
    answers: i64,
    behaviour: Behaviour,
    slept: bool,
}

#[derive(Default)]
struct DiskState {
    lease: Option<Lease>,
    of_profile: Option<Record>,
    of_login: Option<Record>,
    worked: bool,
}

impl<'a> World<'a> {
    fn new(schedule: &'a Schedule, task: AbortHandle) -> World<'a> {
        let mut world = World {
            schedule,
            trace: Trace::default(),
            now: 0,
            off: 0,
            events: BinaryHeap::new(),
            numbers: 0,
            processes: Vec::new(),
            disk: DiskState::default(),
            lock: None,
            last_issued: None,
            second_episode: None,
            suspends_for: None,
            slept: HashSet::new(),
            print: Fingerprint::sample("p"),
            task,
            dice: schedule.seed | 1,
        };
        for _ in 0..schedule.processes {
            let process = world.process();
            world.processes.push(process);
        }
        let mut at = 0;
        for (length, gap) in &schedule.paces {
            let mut next = at;
            while let Some(gap) = gap.filter(|_| next < at + length) {
                let process = world.roll(schedule.processes as u64) as usize;
                world.at(next, Event::Request(process));
                next += gap / 2 + world.roll(gap as u64) as i64;
            }
            at += length;
        }
        for (index, (at, _)) in schedule.mishaps.iter().enumerate() {
            world.at(*at, Event::Mishap(index));
        }
        world
    }

    fn run(&mut self) {
        let (mut events, mut since) = (0_u32, 0);
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at > self.schedule.end || self.trace.wrong.is_some() {
                return;
            }
            self.now = self.now.max(at);
            (events, since) = if since == self.now { (events + 1, since) } else { (0, self.now) };
            if events > 20_000 {
                self.trace.wrong = Some(format!("a loop at {since} ms"));
            }
            match event {
                Event::Request(process) => self.request(process),
                Event::Mishap(index) => self.befall(self.schedule.mishaps[index].1),
                Event::Wake(process, sleep) if self.processes[process].sleep == sleep => self.wake(process),
                Event::Wake(..) => {}
                Event::Poll(process, id) => self.when_flying(process, id, World::take_turn),
                Event::Answer(process, id) => self.when_flying(process, id, World::land),
                Event::GiveUp(process, waiter) => self.give_up(process, waiter),
            }
        }
    }

    fn befall(&mut self, mishap: Mishap) {
        match mishap {
            Mishap::Clock(seconds) => self.off += seconds,
            Mishap::SuspendInFlight(length) => self.suspends_for = Some(length),
            Mishap::Suspend(length) => {
                let (from, to) = (self.now, self.now + length);
                for flight in self.processes.iter_mut().filter_map(|process| process.flight.as_mut()) {
                    flight.deadline += length;
                    self.trace.slept.push(to);
                    if let Some(asked) = &mut flight.asked {
                        asked.slept |= asked.sent <= to && asked.answers >= from;
                    }
                }
                // A process' timers stand still meanwhile; what others send does not.
                let events = std::mem::take(&mut self.events).into_iter().map(|Reverse((at, number, event))| {
                    let timer = matches!(event, Event::Wake(..) | Event::Poll(..) | Event::GiveUp(..)) && at > from;
                    Reverse((if timer { at + length } else { at }, number, event))
                });
                self.events = events.collect();
                self.now = to;
            }
            Mishap::Restart(process) if process < self.processes.len() => {
                if self.lock == Some(process) {
                    self.lock = None;
                }
                self.processes[process] = self.process();
            }
            Mishap::Restart(_) => {}
        }
    }

    fn request(&mut self, process: usize) {
        let now = self.moment();
        self.processes[process].last_request = Some(self.now);
        if self.processes[process].slot.ask(&now) {
            self.notify(process);
        }
        match self.processes[process].slot.decide(&now, 0, Manner::Daemon) {
            Decision::Serve(lease) => self.serve(&lease),
            Decision::ServeAndRenew(lease) => {
                self.start(process);
                self.serve(&lease);
            }
            Decision::Refuse(_) => self.trace.refused.push(self.now),
            Decision::TooDemanding(_) => self.trace.wrong = Some("too demanding, at nothing".into()),
            Decision::Wait(patience) => {
                let waiter = self.number();
                self.processes[process].waiters.push(waiter);
                self.processes[process].slot.waiters += 1;
                let wait = patience.wait.min(LONGEST_WAIT).as_millis() as i64;
                self.at(self.now + wait, Event::GiveUp(process, waiter));
                self.start(process);
            }
        }
    }

    fn start(&mut self, process: usize) {
        if self.processes[process].slot.under_way().is_some() {
            return;
        }
        if self.processes[process].flight.is_some() {
            self.trace.wrong = Some(format!("two flights at once at {} ms", self.now));
        }
        let (called, id) = (self.moment(), self.number());
        let (outcome, receiver) = watch::channel(None);
        let it = &mut self.processes[process];
        let held = it.slot.valid(&called);
        self.trace.starts.push(Start {
            at: self.now,
            unforced: held.is_some(),
            success: it.success,
            last_request: it.last_request,
            life: it.slot.lease.as_ref().map_or(0, |lease| lease.life),
        });
        it.slot.flight = Some(Flying { id, outcome: receiver, writes: false, task: self.task.clone() });
        let deadline = self.now + LONGEST_WAIT.as_millis() as i64;
        it.flight = Some(Flight { id, outcome, called: called.clone(), before: None, deadline, asked: None });
        if self.content(process) {
            return;
        }
        let before = self.record(&called);
        if let Some(record) = before.as_ref().filter(|record| record.rest(&called) > Duration::ZERO) {
            return self.fail(process, record.clone());
        }
        if let Some(flight) = &mut self.processes[process].flight {
            flight.before = before;
        }
        self.take_turn(process);
    }

    /// Whether what is on disk is enough.
    fn content(&mut self, process: usize) -> bool {
        let now = self.moment();
        let it = &mut self.processes[process];
        let (Some(flight), Some(lease)) = (&it.flight, &self.disk.lease) else { return false };
        if !Wish::Valid(0).admits(lease, &flight.called, &now) {
            return false;
        }
        let lease = Arc::new(lease.clone());
        if Wish::Valid(0).met_by(&lease, it.slot.jitter, &now) {
            it.slot.take(lease.clone(), lease.just_issued(&now), &now);
            self.tell(process, Ok(lease));
            self.end(process);
            return true;
        }
        it.slot.find(&lease, &now);
        if Wish::Valid(0).served_by(&lease, it.slot.jitter, &now) {
            self.tell(process, Ok(lease));
        }
        false
    }

    fn take_turn(&mut self, process: usize) {
        let now = self.moment();
        let Some(flight) = &self.processes[process].flight else { return };
        let (id, deadline, before) = (flight.id, flight.deadline, flight.before.clone());
        if self.lock.is_some() {
            let news = self.record(&now).filter(|record| Some(&record.id) != before.as_ref().map(|old| &old.id));
            match (&self.disk.lease, news) {
                (Some(lease), _) if Wish::Valid(0).met_by(lease, self.processes[process].slot.jitter, &now) => {
                    self.content(process);
                }
                (_, Some(record)) => self.fail(process, record),
                _ if self.now >= deadline => {
                    self.tell(process, Err(Error::unavailable("another process is still asking")));
                    self.end(process);
                }
                _ => self.at(self.now + 50, Event::Poll(process, id)),
            }
            return;
        }
        self.lock = Some(process);
        if self.content(process) {
            return;
        }
        let news = self.record(&now).filter(|record| Some(&record.id) != before.as_ref().map(|old| &old.id));
        if let Some(record) = news {
            return self.fail(process, record);
        }
        if let Some(record) = &before
            && let Err(wait) = self.processes[process].budget.spend(&now)
        {
            return self.fail(process, record.put_off(wait, &now));
        }
        let behaviour = self.behaviour();
        let latency = match behaviour {
            Behaviour::Issues(latency) | Behaviour::Repeats(latency) | Behaviour::Fails(latency) => latency,
            Behaviour::Busy(_) | Behaviour::Denies | Behaviour::Rejects => 100,
        };
        let follows_a_failure = before.is_some();
        self.trace.asks.push(Ask { at: self.now, follows_a_failure, worked: self.disk.worked, came: None });
        let (ask, sent, answers) = (self.trace.asks.len() - 1, self.now, self.now + latency);
        if let Some(flight) = &mut self.processes[process].flight {
            flight.asked = Some(Asked { ask, at: now, sent, answers, behaviour, slept: false });
        }
        self.at(answers, Event::Answer(process, id));
        if let Some(length) = self.suspends_for.take() {
            self.befall(Mishap::Suspend(length));
        }
    }

    fn land(&mut self, process: usize) {
        let now = self.moment();
        let Some(asked) = self.processes[process].flight.as_mut().and_then(|flight| flight.asked.take()) else {
            return;
        };
        let (came, outcome) = self.answer(&asked, &now);
        self.trace.asks[asked.ask].came = Some(came);
        self.processes[process].budget.end("a", Some(outcome.is_err()));
        match outcome {
            Ok(lease) => {
                let lease = Arc::new(lease);
                let it = &mut self.processes[process];
                it.slot.take(lease.clone(), lease.just_issued(&now), &now);
                it.success = Some((self.now, lease.life));
                self.tell(process, Ok(lease.clone()));
                self.disk.lease = Some((*lease).clone());
                self.disk.of_profile = None;
                self.disk.of_login.take_if(|record| record.rest(&now).is_zero());
                self.disk.worked = true;
                self.end(process);
            }
            Err(error) => {
                let of_login = error.wants_sign_in();
                let owner = if of_login { Owner::Login("l".into()) } else { Owner::Profile("p".into()) };
                let remaining = self.processes[process].slot.valid(&now).map_or(0, |lease| lease.remaining(&now));
                let jitter = self.share();
                let case = Case { owner: &owner, worked: self.disk.worked, remaining, jitter };
                let place = if of_login { &mut self.disk.of_login } else { &mut self.disk.of_profile };
                let record = next_record(error, &self.print, place.as_ref(), case, &now);
                *place = Some(record.clone());
                self.fail(process, record);
            }
        }
    }

    /// What the issuer said when it was its time, and what becomes of that now.
    fn answer(&mut self, asked: &Asked, now: &Moment) -> (Came, Result<Lease, Error>) {
        let date = truth(asked.answers);
        let new = Timestamp::from_second(date.as_second() + self.schedule.life).unwrap();
        let expiration = match (asked.behaviour, self.last_issued) {
            (Behaviour::Issues(_), _) => new,
            (Behaviour::Repeats(_), last) => last.filter(|last| *last > date).unwrap_or(new),
            (Behaviour::Fails(_), _) => return (Came::Failed, Err(Error::unavailable("away"))),
            (Behaviour::Busy(seconds), _) => {
                let error = Error::Unavailable { message: String::new(), retry_after: Some(seconds) };
                return (Came::Failed, Err(error));
            }
            (Behaviour::Denies, _) => {
                let error = Error::Denied { message: String::new(), url: None, hint: String::new() };
                return (Came::Denied, Err(error));
            }
            (Behaviour::Rejects, _) => return (Came::Rejected, Err(Error::sign_in("l", "no"))),
        };
        self.last_issued = Some(expiration);
        if asked.slept {
            self.trace.slept.push(self.now);
            self.slept.insert(expiration);
        }
        let issued = Issued { credentials: sample(expiration), endpoint: None, date: Some(date) };
        match Lease::new(issued, &asked.at, now) {
            Ok(lease) => (Came::Issued, Ok(lease)),
            Err(why) => (Came::Failed, Err(Error::protocol(why))),
        }
    }

    fn fail(&mut self, process: usize, record: Record) {
        let now = self.moment();
        let told = record.told(&now);
        self.processes[process].slot.fail(record, &now);
        self.tell(process, Err(told));
        self.end(process);
    }

    fn end(&mut self, process: usize) {
        let now = self.moment();
        let it = &mut self.processes[process];
        if let Some(flight) = it.flight.take() {
            it.slot.end(flight.id, &now);
        }
        if self.lock == Some(process) {
            self.lock = None;
        }
        self.notify(process);
    }

    /// Those who wait get it, if it is enough for them; what is valid still, if it is not.
    fn tell(&mut self, process: usize, outcome: Outcome) {
        let now = self.moment();
        for waiter in std::mem::take(&mut self.processes[process].waiters) {
            self.processes[process].slot.waiters -= 1;
            match &outcome {
                Ok(lease) if lease.remaining(&now) >= LEAST_SERVED => self.serve(lease),
                Ok(_) => {
                    self.processes[process].waiters.push(waiter);
                    self.processes[process].slot.waiters += 1;
                }
                Err(_) => self.serve_old(process),
            }
        }
        if let Some(flight) = &self.processes[process].flight {
            flight.outcome.send_replace(Some(outcome));
        }
    }

    fn give_up(&mut self, process: usize, waiter: u64) {
        let it = &mut self.processes[process];
        if let Some(place) = it.waiters.iter().position(|known| *known == waiter) {
            it.waiters.swap_remove(place);
            it.slot.waiters -= 1;
            self.serve_old(process);
        }
    }

    fn serve_old(&mut self, process: usize) {
        match self.processes[process].slot.valid(&self.moment()) {
            Some(lease) => self.serve(&lease),
            None => self.trace.refused.push(self.now),
        }
    }

    fn serve(&mut self, lease: &Lease) {
        let end = lease.credentials.expiration;
        self.trace.answers.push(Given {
            remaining: lease.remaining(&self.moment()),
            truly: end.as_second() - truth(self.now).as_second(),
            slept: self.slept.contains(&end),
        });
    }

    fn record(&self, now: &Moment) -> Option<Record> {
        let records = self.disk.of_profile.iter().chain(&self.disk.of_login);
        records.max_by_key(|record| record.rest(now)).cloned()
    }

    /// The scheduler's turn.
    fn wake(&mut self, process: usize) {
        let now = self.moment();
        let plan = plan(std::iter::once(("p", &self.processes[process].slot)), &now);
        self.processes[process].sleep += 1;
        if let Some(sleep) = plan.sleep {
            let event = Event::Wake(process, self.processes[process].sleep);
            self.at(self.now + sleep.as_millis() as i64, event);
        }
        if !plan.due.is_empty() {
            self.start(process);
        }
    }

    fn notify(&mut self, process: usize) {
        self.processes[process].sleep += 1;
        let event = Event::Wake(process, self.processes[process].sleep);
        self.at(self.now, event);
    }

    fn when_flying(&mut self, process: usize, id: u64, then: impl FnOnce(&mut Self, usize)) {
        if self.processes[process].flight.as_ref().is_some_and(|flight| flight.id == id) {
            then(self, process);
        }
    }

    fn process(&mut self) -> Process {
        let mut slot = Slot::new();
        slot.jitter = self.share();
        // Another than any before: its deadlines are not those of a process that was killed.
        let sleep = self.number() << 32;
        let (budget, waiters) = (Budget::default(), Vec::new());
        Process { slot, budget, flight: None, waiters, sleep, success: None, last_request: None }
    }

    fn behaviour(&mut self) -> Behaviour {
        let episodes = &self.schedule.episodes;
        let first = episodes.first().map_or(0, |(length, _)| *length);
        let now = match self.schedule.until_ask {
            None => self.now,
            Some(asks) if self.trace.asks.len() < asks => 0,
            Some(_) => first + self.now - *self.second_episode.get_or_insert(self.now),
        };
        let mut end = 0;
        let current = episodes.iter().find(|(length, _)| {
            end += length;
            now < end
        });
        current.or(episodes.last()).map_or(Behaviour::Issues(0), |(_, behaviour)| *behaviour)
    }

    fn moment(&self) -> Moment {
        Moment {
            wall: truth(self.now + self.off * 1000),
            boot: Duration::from_millis(u64::try_from(self.now + 5000).unwrap()),
            boot_id: "this boot".into(),
        }
    }

    fn at(&mut self, at: i64, event: Event) {
        let number = self.number();
        self.events.push(Reverse((at, number, event)));
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// xorshift: below `end`.
    fn roll(&mut self, end: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % end.max(1)
    }

    fn share(&mut self) -> f64 {
        self.roll(1 << 20) as f64 / f64::from(1 << 20)
    }
}

/// The right time.
fn truth(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
}
