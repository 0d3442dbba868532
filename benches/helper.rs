//! How fast helper and daemon are, beside /bin/true in the same run: a table of measured against wanted, nothing asserted.
//!
//! `cargo bench --bench helper`. The helper as packaged is built by `packaging/helper.sh`, or named by
//! `VALETKEY_STATIC_HELPER`. Targets are ratios where they can be: a slow machine is slow at /bin/true as well.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a bench has a clock, starts programs, and may panic

#[path = "../tests/common/mod.rs"]
mod common;

use common::{COMMAND, HELPER, Issuer, Place, credentials};
use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use valetkey::standin::Standin;

const ROUNDS: usize = 1000;
const HERD: usize = 1000;
const HERDS: usize = 3;
const STARTS: usize = 21;
const REQUESTS: usize = 50_000;
const TRUE: &str = "/bin/true";

fn main() {
    // `cargo test --benches` only wants to know that it builds and starts.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let packaged = packaged_helper();
    let (issuer, place) = (Issuer::start(), Place::new());
    let cold = issuer.standin.url("/tea/cold/s3credentials");
    place.configure(&format!(
        "{}\n[profiles.cold]\nprovider = \"earthdata\"\nendpoint = \"{cold}\"\nurs = \"{}\"\nlogin = \"earthdata\"\n",
        issuer.earthdata_config("keyring = \"file\""),
        issuer.standin.url(Standin::URS),
    ));
    let signed_in = place.login("earthdata", &issuer.standin.mint_token("ada", 60 * 24 * 3600));
    assert!(signed_in.status.success(), "{}", common::stderr(&signed_in));

    let ready = exec_to_ready(&place);
    let answer = place.helper("podaac");
    credentials(&answer);
    let daemon = place.daemons()[0];
    let idle = resident(daemon);

    println!("{:<5} {:<44} {:>12} {:>7}  wanted", "", "", "measured", "ratio");
    let bytes = std::fs::metadata(&packaged).unwrap().len();
    row("T11", "helper as packaged", &format!("{} KB", bytes / 1000), None, "<= 1 MB");
    let programs = [(TRUE, "true"), (HELPER, "podaac"), (&packaged, "podaac")];
    let [bare, dynamic, fixed] = side_by_side(&place, programs);
    row("", "/bin/true, exec to exit, p50", &micros(bare), None, "");
    row("T1", "helper as cargo builds it, warm", &micros(dynamic), Some((dynamic, bare)), "<= 1.7");
    row("T1", "helper as packaged, warm", &micros(fixed), Some((fixed, bare)), "<= 0.75");

    let asked = issuer.standin.count("/tea/cold/");
    let at_once = herd(&place, HELPER, "cold");
    let calls = issuer.standin.count("/tea/cold/") - asked;
    let mut trues: Vec<Duration> = Vec::new();
    let mut helpers = Vec::new();
    for _ in 0..HERDS {
        trues.push(herd(&place, TRUE, "true"));
        helpers.push(herd(&place, HELPER, "podaac"));
    }
    let (trues, helpers) = (median(&mut trues), median(&mut helpers));
    row("T2", "1,000 true at once", &millis(trues), None, "");
    row("T2", "1,000 helpers at once, warm", &millis(helpers), Some((helpers, trues)), "<= 1.5");
    let what = format!("1,000 helpers at once, cold: {calls} upstream");
    row("T2", &what, &millis(at_once), Some((at_once, trues)), "1 upstream");

    let mut latencies = on_one_connection(&place);
    let p50 = median(&mut latencies);
    let p99 = latencies[latencies.len() * 99 / 100];
    row("T8", "cached answer, open connection, p50", &micros(p50), None, "<= 50 us");
    row("T8", "cached answer, open connection, p99", &micros(p99), None, "<= 500 us");
    row("T7", "daemon, exec to ready, p50", &millis(ready), None, "<= 20 ms");
    row("T3", "daemon, resident after one answer", &format!("{idle} KB"), None, "<= 8 MB");
    let grown = resident(daemon) - idle;
    row("T3", "and after all of the above", &format!("{grown:+} KB"), None, "<= +1 MB");
}

/// The path of the helper as packaged.
fn packaged_helper() -> String {
    if let Ok(path) = std::env::var("VALETKEY_STATIC_HELPER") {
        return path;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/helper.sh");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "packaging/helper.sh: {}", output.status);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The medians from exec to exit, the programs taking turns, so that what disturbs one disturbs all.
fn side_by_side(place: &Place, programs: [(&str, &str); 3]) -> [Duration; 3] {
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..ROUNDS + ROUNDS / 10 {
        for (index, (program, word)) in programs.iter().enumerate() {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let mut command = place.program(program);
            command.arg(word).stdout(writer).stderr(Stdio::null());
            let started = Instant::now();
            let mut child = command.spawn().unwrap();
            let status = child.wait().unwrap();
            let took = started.elapsed();
            drop(command);
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer).unwrap();
            assert!(status.success() && (*word == "true" || answer.ends_with(b"}\n")), "{program}: {status}");
            // The first rounds warm the caches up.
            if round >= ROUNDS / 10 {
                times[index].push(took);
            }
        }
    }
    times.map(|mut times| median(&mut times))
}

/// From the first start to the last exit.
fn herd(place: &Place, program: &str, word: &str) -> Duration {
    let started = Instant::now();
    let start = |_| {
        let mut command = place.program(program);
        command.arg(word).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<Child> = (0..HERD).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success(), "{program} in a herd");
    }
    started.elapsed()
}

/// From exec to READY=1, with a config and a login.
fn exec_to_ready(place: &Place) -> Duration {
    let path = place.path().join("notify");
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let _ = std::fs::remove_file(&path);
        let notices = UnixDatagram::bind(&path).unwrap();
        notices.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut command = place.program(COMMAND);
        command.arg("daemon").env("NOTIFY_SOCKET", &path).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let mut daemon = command.spawn().unwrap();
        notices.recv(&mut [0; 64]).unwrap();
        times.push(started.elapsed());
        assert!(place.command(&["stop"]).status.success());
        daemon.wait().unwrap();
    }
    median(&mut times)
}

/// The time of each of many requests on one connection.
fn on_one_connection(place: &Place) -> Vec<Duration> {
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    let request = b"GET /v1/profiles/podaac/credentials HTTP/1.1\r\nHost: valetkey\r\n\r\n";
    let mut buffer = [0; 16 * 1024];
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let started = Instant::now();
        stream.write_all(request).unwrap();
        let mut length = 0;
        while !complete(&buffer[..length]) {
            let read = stream.read(&mut buffer[length..]).unwrap();
            assert!(read > 0, "the daemon closed the connection");
            length += read;
        }
        times.push(started.elapsed());
    }
    times
}

/// Whether the JSON line at the end is there: its length need not be parsed to tell.
fn complete(reply: &[u8]) -> bool {
    reply.ends_with(b"}\n") && reply.starts_with(b"HTTP/1.1 200")
}

/// Resident memory in KB.
fn resident(pid: i32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn row(id: &str, what: &str, measured: &str, ratio: Option<(Duration, Duration)>, wanted: &str) {
    let ratio = ratio.map(|(a, b)| format!("{:.2}", a.as_secs_f64() / b.as_secs_f64())).unwrap_or_default();
    println!("{id:<5} {what:<44} {measured:>12} {ratio:>7}  {wanted}");
}

fn micros(time: Duration) -> String {
    format!("{:.0} us", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
