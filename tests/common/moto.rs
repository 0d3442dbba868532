//! moto, the stand-in for AWS that others maintain, on a port of its own choice; ended with the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

pub(crate) struct Moto {
    child: Child,
    pub(crate) url: String,
    log: Option<JoinHandle<Vec<String>>>,
}

impl Moto {
    pub(crate) fn start(program: &Path) -> Moto {
        Moto::run(Command::new(program))
    }

    /// One that knows the policies which every account of AWS has.
    pub(crate) fn start_with_aws_policies(program: &Path) -> Moto {
        let mut command = Command::new(program);
        command.env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true");
        Moto::run(command)
    }

    fn run(mut command: Command) -> Moto {
        command.args(["-H", "127.0.0.1", "-p", "0"]).env("PYTHONUNBUFFERED", "1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = said.next().expect("moto ended before it listened").unwrap();
            if let Some((_, rest)) = line.split_once("Running on ") {
                break rest.trim().to_owned();
            }
        };
        let log = std::thread::spawn(move || said.map_while(Result::ok).collect());
        Moto { child, url, log: Some(log) }
    }

    /// Ends it; every line that it logged.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
