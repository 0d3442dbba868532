//! Where it is stricter than what it stands in for: other users, other names, web pages; and tokens for other hosts.

use super::common::{self, http};
use super::{Server, Stage};
use std::process::{Command, Stdio};

#[test]
fn s36_s37_a_web_page_and_a_rebound_name_get_nothing() {
    let Some(stage) = Stage::new() else { return };
    let ours = stage.ours(&[]);
    for header in
        [("host", "evil.example.org"), ("origin", "http://x.org"), ("referer", "x"), ("sec-fetch-site", "cross-site")]
    {
        let (status, body) = http::get(ours.port, "/", &[header]);
        assert!(
            status == 403 && body.starts_with("{\"error\":") && !body.contains("AccessKeyId"),
            "{header:?}: {body}"
        );
    }
    assert_eq!(ours.get("/").0, 200);
}

const CLIENT: &str = r#"use IO::Socket::INET; $SIG{PIPE} = 'IGNORE'; my $heard = '';
my $client = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$ARGV[0]") or die $!;
syswrite($client, "GET / HTTP/1.1\r\nhost: localhost:$ARGV[0]\r\n\r\n"); sysread($client, $heard, 100); print "<$heard>";"#;

#[test]
fn s39_another_user_of_the_machine_gets_no_byte_and_from_theirs_the_keys() {
    if !common::is_root() {
        return println!("skipped: only root can become another user");
    }
    let Some(stage) = Stage::new() else { return };
    let (ours, theirs) = (stage.ours(&[]), stage.theirs(&[]));
    let as_nobody = |port: u16| {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "/usr/bin/perl",
            "-e",
            CLIENT,
            &port.to_string(),
        ]);
        String::from_utf8(command.stdout(Stdio::piped()).output().unwrap().stdout).unwrap()
    };
    assert_eq!(as_nobody(ours.port), "<>");
    assert!(as_nobody(theirs.port).contains("200 OK"));
}

#[test]
fn s35_s38_with_a_token_it_serves_other_hosts() {
    let Some(stage) = Stage::new() else { return };
    let file = stage.place.path().join("token");
    let port = http::free_port();
    let command = stage.command(
        common::COMMAND,
        &["-d", "1h", "-p", &port.to_string(), "--host", "0.0.0.0", "--token-file", file.to_str().unwrap()],
    );
    let server = Server::start(command, port);
    let token = std::fs::read_to_string(&file).unwrap();
    let as_container = [("host", "gateway.internal:8094"), ("authorization", token.as_str())];
    assert_eq!(http::get(port, "/", &as_container).0, 200);
    assert_eq!(http::get(port, "/", &as_container[..1]).0, 401);
    assert_eq!(server.get("/").0, 401);
}

#[test]
fn s17_a_lock_holds_for_it_while_it_runs_and_when_it_starts() {
    let Some(stage) = Stage::new() else { return };
    let ours = stage.ours(&[]);
    assert_eq!(ours.get("/").0, 200);
    stage.place.ok(&["lock"]);
    let (status, body) = ours.get("/");
    assert!(status == 401 && body.contains("valetkey unlock"), "{body}");
    // Nobody listens there: asking would be another error.
    let mut command = stage.place.program(common::COMMAND);
    command.args(["localserver", "my-bucket", "-d", "1h", "-p", "0", "--endpoint-url", "http://127.0.0.1:9"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", common::stderr(&output));
    stage.place.ok(&["unlock"]);
    assert_eq!(ours.get("/").0, 200);
}

#[test]
fn a_keys_pipe_that_says_nothing_can_be_interrupted() {
    let Some(stage) = Stage::new() else { return };
    let mut child =
        stage.command(common::COMMAND, &["-d", "1h", "-p", "0", "-a", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // Once it has its handlers; before that the signal ends it as well.
    let caught = || std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    common::until("its handlers", || {
        caught().lines().any(|line| {
            line.strip_prefix("SigCgt:").is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() >> 1 & 1 == 1)
        })
    });
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    common::until("its end", || child.try_wait().unwrap().is_some());
}
