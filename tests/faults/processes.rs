//! F26 and F29: what a process of ours passes on to those that it starts, and what it does without its standard three.

use crate::common::{COMMAND, HELPER, Place, chmod, connections, credentials, refused, signed_in, stderr, until};
use crate::{FILE, NO_DAEMON};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::process::{Command, Output, Stdio};
use valetkey::standin::Standin;

fn shell(place: &Place, script: &str, program: &str) -> Command {
    let mut shell = place.program("sh");
    shell.args(["-c", script, program]);
    shell
}

#[test]
fn f23_sighup_with_a_bad_config_keeps_the_old_one_and_the_daemon() {
    let (issuer, place) = signed_in(FILE);
    let daemon = place.start_daemon();
    let first = credentials(&place.helper("podaac"));
    let text = issuer.earthdata_config(FILE);
    let hang_up = |text: &str| {
        place.configure(text);
        kill_process(Pid::from_child(&daemon), Signal::HUP).unwrap();
    };
    hang_up(&text.replace("endpoint =", "endpiont ="));
    until("a word about it", || place.status()["troubles"]["config"].as_str().is_some_and(|t| t.contains("endpiont")));
    assert_eq!(credentials(&place.helper("podaac")), first);
    hang_up(&text);
    until("its end", || place.status()["troubles"].get("config").is_none());
    assert_eq!(place.daemons(), [daemon.id().cast_signed()]);
}

#[test]
fn f26_a_program_that_is_asked_for_a_token_inherits_no_descriptor() {
    for head in [FILE, NO_DAEMON] {
        let (issuer, place) = signed_in(head);
        let (seen, script) = (place.path().join("seen"), place.path().join("token"));
        let token = issuer.standin.mint_token("ada", 3600);
        let lines = format!(
            "#!/bin/sh\nfor fd in /proc/$$/fd/*; do readlink $fd; done >'{}'\necho '{token}'\n",
            seen.display()
        );
        std::fs::write(&script, lines).unwrap();
        chmod(&script, 0o755);
        let config = format!(
            "{head}\n[logins.t]\nkind = \"token\"\ncommand = [\"{}\"]\n[profiles.web]\nprovider = \"sts\"\n\
             operation = \"web-identity\"\nlogin = \"t\"\nrole_arn = \"arn:aws:iam:::role/reader\"\nendpoint = \"{}\"\n",
            script.display(),
            issuer.standin.url(Standin::STS)
        );
        place.configure(&config);
        let _ = place.helper("web");
        let seen = std::fs::read_to_string(&seen).unwrap();
        // Besides what a caller of ours left open, its pipes and its own text.
        let inherited: Vec<&str> = seen.lines().filter(|at| !at.starts_with("pipe:")).collect();
        assert!(inherited.len() > 1, "{seen}");
        // What whoever runs the tests left open in them is theirs.
        let callers = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let callers = callers.filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string()));
        let ours = ["/dev/null".into(), script.display().to_string(), place.path().join("seen").display().to_string()];
        let known: Vec<String> = ours.into_iter().chain(callers).collect();
        assert!(inherited.iter().all(|at| known.iter().any(|known| at == known)), "{head}: {inherited:?}");
    }
}

#[test]
fn f26_a_daemon_keeps_no_lock_of_who_started_it() {
    let (_issuer, place) = signed_in(FILE);
    let caller = place.path().join("callers.lock");
    let script = format!("exec 9>'{}'; flock 9; \"$0\" podaac", caller.display());
    credentials(&shell(&place, &script, HELPER).output().unwrap());
    assert_eq!(place.daemons().len(), 1);
    let free =
        |path: &std::path::Path| flock(File::open(path).unwrap(), FlockOperation::NonBlockingLockExclusive).is_ok();
    assert!(free(&caller), "the caller is gone, and its lock with it");
    let locks = std::fs::read_dir(place.path().join("state/locks")).unwrap().flatten().map(|entry| entry.path());
    for lock in locks.chain(["start.lock", "take-over.lock"].map(|name| place.path().join("run").join(name))) {
        until(&format!("{} to be free", lock.display()), || free(&lock));
    }
}

#[test]
fn f26_helpers_of_a_program_that_forks_are_each_answered_whole() {
    let (issuer, place) = signed_in(FILE);
    let script = "for i in 1 2 3 4 5 6 7 8; do (\"$0\" podaac >\"$1.$i\" &) ; done; \"$0\" podaac";
    let mut forking = shell(&place, script, HELPER);
    let first = credentials(&forking.arg(place.path().join("out")).output().unwrap());
    for number in 1..=8 {
        let file = place.path().join(format!("out.{number}"));
        let read = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&file).unwrap_or_default()).ok();
        until("its answer", || read().is_some_and(|keys| keys == first));
    }
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
}

#[test]
fn f10_a_daemon_that_was_halted_answers_who_waited_once_it_goes_on() {
    let (issuer, place) = signed_in(FILE);
    let daemon = place.start_daemon();
    let first = credentials(&place.helper("podaac"));
    let signal = |signal| kill_process(Pid::from_child(&daemon), signal).unwrap();
    signal(Signal::STOP);
    let waiting: Vec<_> = (0..5).map(|_| place.start_helper("podaac")).collect();
    until("five to wait", || connections(&place.socket()) >= 5);
    signal(Signal::CONT);
    for helper in waiting {
        assert_eq!(credentials(&helper.wait_with_output().unwrap()), first);
    }
    assert_eq!(issuer.standin.count(Standin::TEA), 1);
}

#[test]
fn f29_the_command_and_the_daemon_live_without_the_standard_three() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let (_issuer, place) = signed_in(NO_DAEMON);
        let run =
            |words: &str| -> Output { shell(&place, &format!("\"$0\" {words} {closed}"), COMMAND).output().unwrap() };
        let asked = run("credentials podaac");
        assert_eq!(asked.status.code(), Some(0), "{closed}: {}", stderr(&asked));
        assert_eq!(asked.stdout.is_empty(), closed.contains(">&- ") || closed == ">&-", "{closed}");
        assert_eq!(run("credentials nobody").status.code(), Some(6), "{closed}");

        let mut daemon = shell(&place, &format!("exec \"$0\" daemon {closed}"), COMMAND);
        let mut daemon = daemon.stdin(Stdio::null()).spawn().unwrap();
        until("the daemon", || std::os::unix::net::UnixStream::connect(place.socket()).is_ok());
        credentials(&place.helper("podaac"));
        assert!(refused(&place.helper("nobody"), 6).contains("nobody"));
        // Nothing of ours stands where others write to.
        for number in 0..3 {
            let at = std::fs::read_link(format!("/proc/{}/fd/{number}", daemon.id())).unwrap();
            assert!(!at.starts_with(place.path()) && !at.display().to_string().contains("socket"), "{number}: {at:?}");
        }
        place.ok(&["stop"]);
        assert!(daemon.wait().unwrap().success(), "{closed}");
    }
}
