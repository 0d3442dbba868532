//! The daemon when idle, crowded, at its limit, cut off and told to end: a table of measured against wanted, nothing
//! asserted.
//!
//! `cargo bench --bench daemon`. `VALETKEY_REQUESTS=1000000` asks a million times instead of 100,000.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a bench has a clock, starts programs, and may panic

#[path = "../tests/common/mod.rs"]
mod common;

use common::{COMMAND, Daemon, credentials, signed_in};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use valetkey::standin::Behaviour;

const FILE: &str = "keyring = \"file\"";
const REQUESTS: usize = 100_000;
const CONNECTIONS: usize = 10_000;
/// Descriptors of the daemon whose limit is reached: few, so that the bench reaches it.
const FEW: u64 = 256;
/// What is measured over time is measured so long.
const WATCHED: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);
/// What follows an answer is over by then: the cache is written, the connection to the issuer closed.
const SETTLED: Duration = Duration::from_secs(75);
/// Of the credentials that an issuer's outage is measured with, in seconds.
const LIFE: i64 = 60;
const CLIENTS: usize = 20;
const ENDS: usize = 20;
const KEEP_ALIVE: &[u8] = b"GET /v1/profiles/podaac/credentials HTTP/1.1\r\nhost: valetkey\r\n\r\n";

fn main() {
    // `cargo test --benches` only wants to know that it builds and starts.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    // The daemon inherits the soft limit, and raises it itself.
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    println!("{:<5} {:<48} {:>16}  wanted", "", "", "measured");
    memory_and_wake_ups();
    crowd();
    at_the_limit();
    outage();
    ends();
}

/// T3, T6.
fn memory_and_wake_ups() {
    let (_issuer, place) = signed_in(FILE);
    let daemon = place.start_daemon();
    credentials(&place.helper("podaac"));
    let pid = daemon.id();
    let first = resident(pid);
    row("T3", "resident after one answer", &format!("{first} KB"), "<= 8 MB");
    std::thread::park_timeout(SETTLED);
    let before = switches(pid);
    std::thread::park_timeout(IDLE);
    row("T6", &format!("wake-ups in {} s idle", IDLE.as_secs()), &(switches(pid) - before).to_string(), "<= 1");

    let count = std::env::var("VALETKEY_REQUESTS").map_or(REQUESTS, |text| text.parse().expect("VALETKEY_REQUESTS"));
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    for _ in 0..count {
        assert!(ask(&mut stream));
    }
    row("T3", &format!("and after {count} requests"), &format!("{:+} KB", resident(pid) - first), "<= +1 MB");
}

/// T4.
fn crowd() {
    let (_issuer, place) = signed_in(FILE);
    let daemon = place.start_daemon();
    credentials(&place.helper("podaac"));
    let room = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX).saturating_sub(200);
    let wanted = CONNECTIONS.min(usize::try_from(room).unwrap_or(CONNECTIONS));
    let started = Instant::now();
    let idle: Vec<UnixStream> = (0..wanted).map(|_| connected(&place.socket())).collect();
    let opened = started.elapsed();
    let mut times: Vec<Duration> = (0..101).map(|_| new_client(&place.socket())).collect();
    let resident = resident(daemon.id());
    // Longer than a request's head may take, less than an idle connection may stay.
    std::thread::park_timeout(WATCHED);
    let stayed = idle.iter().filter(|stream| is_open(stream)).count();
    let what = format!("resident, {wanted} connections idle after an answer");
    row("T4", &what, &format!("{resident} KB"), "<= 32 MB");
    if wanted < CONNECTIONS {
        row("", &format!("the descriptor limit allows no {CONNECTIONS}"), &wanted.to_string(), "");
    }
    row(
        "T4",
        &format!("of them open {:.0} s later", (opened + WATCHED).as_secs_f64()),
        &stayed.to_string(),
        "all, for 60 s",
    );
    row("T4", "a new client's answer beside them, p50", &micros(median(&mut times)), "<= 5 ms");
}

/// T5: with clients that keep each place, and with clients that have been answered and stay.
fn at_the_limit() {
    let (_issuer, place) = signed_in(FILE);
    let mut limited = place.program("sh");
    limited.args(["-c", &format!("ulimit -n {FEW}; exec \"$0\" \"$@\""), COMMAND]);
    let daemon = Daemon::start(limited);
    credentials(&place.helper("podaac"));
    for (what, answered) in [("silent", false), ("idle", true)] {
        let connect =
            || if answered { connected(&place.socket()) } else { UnixStream::connect(place.socket()).unwrap() };
        let _held: Vec<UnixStream> = (0..FEW).map(|_| connect()).collect();
        let new = new_client(&place.socket());
        let (before, started) = (busy(daemon.id()), Instant::now());
        std::thread::park_timeout(WATCHED);
        let share = (busy(daemon.id()) - before).as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
        row("T5", &format!("{FEW} descriptors, {FEW} {what} clients: a new one's"), &millis(new), "<= 3 s");
        row("T5", "and of a CPU", &format!("{share:.1} %"), "<= 5 %");
    }
}

/// T9.
fn outage() {
    let (issuer, place) = signed_in(FILE);
    issuer.standin.set_life(LIFE);
    let _daemon = place.start_daemon();
    credentials(&place.helper("podaac"));
    let outage = Duration::from_secs_f64(0.4 * LIFE as f64);
    // From when a renewal is due: any other moment is kinder.
    let due = valetkey::freshness::renewal(LIFE, 0.5);
    std::thread::park_timeout(Duration::from_secs(u64::try_from(LIFE - due).unwrap().saturating_sub(1)));
    issuer.standin.behave("/tea/", Behaviour::Close);
    let end = Instant::now() + outage;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let socket = place.socket();
            std::thread::spawn(move || {
                let (mut asked, mut failed) = (0_usize, 0_usize);
                while Instant::now() < end {
                    let good = UnixStream::connect(&socket).is_ok_and(|mut stream| ask(&mut stream));
                    (asked, failed) = (asked + 1, failed + usize::from(!good));
                    std::thread::park_timeout(Duration::from_millis(10));
                }
                (asked, failed)
            })
        })
        .collect();
    let sum = clients.into_iter().map(|client| client.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let what = format!("outage of 0.4 L ({:.0} s of {LIFE}): failed of {}", outage.as_secs_f64(), sum.0);
    row("T9", &what, &sum.1.to_string(), "0");
    for life in [900, 3600, 12 * 3600] {
        let least = (valetkey::freshness::renewal(life, 0.0) - valetkey::freshness::LEAST_SERVED) as f64 / life as f64;
        row("T9", &format!("by the policy, L = {life} s: invisible"), &format!("{least:.2} L"), ">= 0.4 L");
    }
}

/// T10.
fn ends() {
    for waiting in [false, true] {
        let mut times: Vec<Duration> = (0..ENDS).map(|_| end(waiting)).collect();
        let p50 = median(&mut times);
        let most = times.last().copied().unwrap_or_default();
        let what = format!("SIGTERM to exit, {}", if waiting { "20 clients wait" } else { "idle" });
        row("T10", &format!("{what}, p50, most of {ENDS}"), &format!("{}, {}", millis(p50), millis(most)), "<= 2 s");
    }
}

fn end(waiting: bool) -> Duration {
    let (issuer, place) = signed_in(FILE);
    let mut daemon = place.start_daemon();
    let mut held: Vec<UnixStream> = Vec::new();
    if waiting {
        issuer.standin.behave("/tea/", Behaviour::Hang);
        for _ in 0..20 {
            let mut stream = UnixStream::connect(place.socket()).unwrap();
            stream.write_all(KEEP_ALIVE).unwrap();
            held.push(stream);
        }
        issuer.wait_for("/tea/", 1);
    } else {
        held.push(connected(&place.socket()));
    }
    let started = Instant::now();
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    daemon.wait().unwrap();
    started.elapsed()
}

// === Clients ===

/// A connection that has had an answer.
fn connected(socket: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    assert!(ask(&mut stream));
    stream
}

/// From connect to the whole answer.
fn new_client(socket: &Path) -> Duration {
    let started = Instant::now();
    connected(socket);
    started.elapsed()
}

/// Whether the answer was credentials.
fn ask(stream: &mut UnixStream) -> bool {
    let (mut buffer, mut length) = ([0; 16 * 1024], 0);
    if stream.write_all(KEEP_ALIVE).is_err() {
        return false;
    }
    while !(buffer[..length].ends_with(b"}\n")) {
        match stream.read(&mut buffer[length..]) {
            Ok(0) | Err(_) => return false,
            Ok(read) => length += read,
        }
        if !buffer.starts_with(b"HTTP/1.1 200") {
            return false;
        }
    }
    true
}

fn is_open(mut stream: &UnixStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

// === The daemon as the kernel sees it ===

/// In KB.
fn resident(pid: u32) -> i64 {
    field(&format!("/proc/{pid}/status"), "VmRSS:")
}

/// How often any of its threads went to sleep, and so was woken.
fn switches(pid: u32) -> i64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    threads.map(|thread| field(thread.path().join("status").to_str().unwrap(), "voluntary_ctxt_switches:")).sum()
}

fn field(file: &str, name: &str) -> i64 {
    let status = std::fs::read_to_string(file).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Its time on a CPU.
fn busy(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let spent = |file| -> Option<u64> { std::fs::read_to_string(file).ok()?.split_whitespace().next()?.parse().ok() };
    Duration::from_nanos(threads.filter_map(|thread| spent(thread.path().join("schedstat"))).sum())
}

// === The table ===

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn row(id: &str, what: &str, measured: &str, wanted: &str) {
    println!("{id:<5} {what:<48} {measured:>16}  {wanted}");
}

fn micros(time: Duration) -> String {
    format!("{:.0} us", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
