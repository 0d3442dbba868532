//! Side by side: the same answers, the same words, the same policies at the issuer.

use super::Stage;
use super::common::http;
use serde_json::Value;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

const STATEMENT: &str = r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}"#;

#[test]
fn each_option_comes_to_the_same_answers_words_and_policy() {
    let Some(stage) = Stage::new() else { return };
    for words in [
        &[][..],
        &["--read-only"],
        &["--write-only"],
        &["--prefix", "uploads/"],
        &["--prefix", "uploads/*", "--read-only"],
        &["--prefix", "uploads/", "--write-only"],
        &["--statement", STATEMENT, "--statement", STATEMENT],
        &["--host", "127.0.0.1"],
    ] {
        // Ours first: the role is ours to make, and theirs to find.
        let (ours, theirs) = (stage.ours(words), stage.theirs(words));
        for path in ["/", "/other", "/?x=1"] {
            let ((status, body), (their_status, their_body)) = (ours.get(path), theirs.get(path));
            assert_eq!(status, their_status, "{words:?} {path}");
            let (json, their_json): (Value, Value) =
                (serde_json::from_str(&body).unwrap(), serde_json::from_str(&their_body).unwrap());
            let names = |json: &Value| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&json), names(&their_json), "{words:?} {path}");
            assert_eq!(json.get("error"), their_json.get("error"));
            let order =
                |body: &str| body.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>();
            assert_eq!(order(&body), order(&their_body), "indented, and in the same order");
        }
        assert_eq!(ours.interrupt(), theirs.interrupt(), "{words:?}: exit code and standard error");
        let assumed = stage.assumed();
        let [.., (our_name, our_policy), (their_name, their_policy)] = assumed.as_slice() else { panic!() };
        assert_eq!((our_name, our_policy), (their_name, their_policy), "{words:?}");
    }
    let role = stage.script("s3_role.py", &[&stage.moto.url]);
    let role: Value = serde_json::from_slice(&role.stdout).unwrap();
    assert_eq!(role["MaxSessionDuration"], 43_200);
    assert_eq!(role["Policies"], serde_json::json!(["arn:aws:iam::aws:policy/AmazonS3FullAccess"]));
    assert_eq!(role["Trusted"], "arn:aws:iam::123456789012:root");
}

#[test]
fn a_hundred_clients_are_answered_while_one_is_silent_which_stops_theirs() {
    let Some(stage) = Stage::new() else { return };
    let (ours, theirs) = (stage.ours(&[]), stage.theirs(&[]));
    let _silent = [ours.port, theirs.port].map(|port| TcpStream::connect(("127.0.0.1", port)).unwrap());
    let port = ours.port;
    let clients: Vec<_> = (0..100).map(|_| std::thread::spawn(move || http::get(port, "/", &[]))).collect();
    let answers: Vec<(u16, String)> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert!(answers.iter().all(|answer| answer.0 == 200 && answer.1 == answers[0].1));
    assert_eq!(stage.assumed().len(), 2, "one for each of the two servers");
    // Theirs has accepted the silent one, and reads from it.
    let mut second = TcpStream::connect(("127.0.0.1", theirs.port)).unwrap();
    second.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    std::io::Write::write_all(&mut second, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert!(second.read(&mut [0; 16]).is_err(), "if this is answered, docs/localserver.md says what is no longer true");
}
