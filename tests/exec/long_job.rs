//! A job of VALETKEY_JOB minutes that signs a request each second, with credentials of 4 minutes (of a tenth of that in a short
//! job), first in peace, then with the daemon killed time and again: no signature by a key that was over.

use super::common::{peers, signed_in, stderr};
use super::{FILE, exec};
use std::path::Path;
use std::time::Duration;

#[test]
#[ignore = "minutes long: VALETKEY_JOB=10 cargo test --test exec -- --ignored --nocapture"]
fn a_job_signs_for_as_long_as_it_runs_whatever_becomes_of_the_daemon() {
    let minutes: f64 = std::env::var("VALETKEY_JOB").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    for killed in [false, true] {
        let told = run(Duration::from_secs_f64(minutes * 60.0), killed);
        println!("daemon killed: {killed}; {told}");
    }
}

fn run(time: Duration, killed: bool) -> String {
    let Some(found) = peers::installed(&["python3"]) else { return "not run".into() };
    let (issuer, place) = signed_in(FILE);
    let life = if time.as_secs() >= 300 { 240 } else { 24 };
    issuer.standin.set_life(life);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/sign_each_second.py");
    let seconds = time.as_secs().to_string();
    let python = found[0].to_str().unwrap();
    let child = exec(&place, &[python, script.to_str().unwrap(), &seconds]).spawn().unwrap();
    let (done, end) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let output = child.wait_with_output().unwrap();
        let _ = done.send(());
        output
    });
    let mut kills = 0;
    // A life and a half apart, so that each falls into another part of it.
    let pause = Duration::from_secs(u64::try_from(life).unwrap() * 3 / 2);
    while end.recv_timeout(pause).is_err() {
        for pid in place.daemons().into_iter().filter(|_| killed) {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(pid).unwrap(),
                rustix::process::Signal::KILL,
            );
            kills += 1;
        }
    }
    let output = waiting.join().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let issued = issuer.standin.issued();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut signed = 0_u64;
    for line in said.lines() {
        let (at, key) = line.split_once(' ').unwrap();
        let issue = issued.iter().find(|issue| issue.access_key_id == key).expect("a key that was issued");
        let left = issue.expiration.unwrap().as_second() as f64 - at.parse::<f64>().unwrap();
        assert!(left > 0.0, "signed {left} s after the end of {key}");
        signed += 1;
    }
    // boto3 looks for new keys before each signature once there are less than 15 minutes; a busy machine signs less often.
    assert!(signed >= time.as_secs() / 2, "{signed} in {} s", time.as_secs());
    format!("{signed} signatures, none late; {} sets of {life} s issued, {kills} daemons killed", issued.len())
}
