//! What is asked, what is not, and what is a mistake of usage.

use super::*;
use crate::ports::tests::Nobody;
use crate::secret::Secret;
use clap::{CommandFactory, FromArgMatches};
use std::sync::Mutex;

/// A person with these answers; keeps the questions.
#[derive(Debug)]
struct Person {
    answers: Mutex<Vec<&'static str>>,
    heard: Mutex<Vec<String>>,
}

impl Person {
    fn new(answers: &[&'static str]) -> Person {
        Person { answers: Mutex::new(answers.iter().rev().copied().collect()), heard: Mutex::default() }
    }

    fn heard(&self) -> String {
        self.heard.lock().unwrap().join("\n")
    }
}

impl Prompt for Person {
    fn someone(&self) -> bool {
        true
    }
    fn ask(&self, question: &str) -> Result<String, Error> {
        self.tell(question);
        Ok(self.answers.lock().unwrap().pop().expect("a question too many").to_owned())
    }
    fn ask_secret(&self, question: &str) -> Result<Secret, Error> {
        panic!("add asks for no secret: {question}")
    }
    fn tell(&self, line: &str) {
        self.heard.lock().unwrap().push(line.to_owned());
    }
}

fn parsed(words: &[&str]) -> Result<(Args, Vec<(String, String)>), clap::Error> {
    let words = ["valetkey", "add"].into_iter().chain(words.iter().copied());
    let matches = with_kinds(super::super::Cli::command()).try_get_matches_from(words)?;
    let matches = matches.subcommand_matches("add").unwrap();
    Ok((Args::from_arg_matches(matches)?, given(matches)))
}

fn settings(words: &[&str], prompt: &dyn Prompt) -> Result<Vec<(String, String)>, Error> {
    let (args, given) = parsed(words).unwrap();
    let (kind, preset) = find(args.what.as_deref().unwrap())?;
    completed(kind, merged(kind, preset, &given)?, &Settings::default(), Path::new("/"), prompt)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const ROLE: &str = "arn:aws:iam::123456789012:role/r";

#[test]
fn a_person_is_asked_for_what_these_settings_need_and_for_nothing_else() {
    let person = Person::new(&[ROLE]);
    assert_eq!(settings(&["sts", "x"], &person).unwrap(), pairs(&[("role_arn", ROLE)]));
    assert!(person.heard().starts_with("role_arn ("), "{}", person.heard());
    let person = Person::new(&["my-bucket"]);
    let federation = ["sts", "x", "--operation", "federation-token"];
    assert_eq!(settings(&federation, &person).unwrap()[1], ("bucket".into(), "my-bucket".into()));
    let elsewhere = ["sts", "x", "--endpoint", "https://minio.example.org"];
    let person = Person::new(&[""]);
    assert_eq!(settings(&elsewhere, &person).unwrap().len(), 1, "MinIO needs no role");
    assert!(person.heard().contains("Enter for none"), "{}", person.heard());
    assert_eq!(settings(&elsewhere, &Person::new(&["arn:aws:iam:::role/r"])).unwrap().len(), 2, "and Ceph does");
    assert_eq!(settings(&elsewhere, &Nobody).unwrap().len(), 1);
    for enough in [&["sts", "x", "--role-arn", ROLE][..], &["sts", "x", "--operation", "session-token"], &["podaac"]] {
        assert!(settings(enough, &Person::new(&[])).is_ok(), "{enough:?}");
    }
}

#[test]
fn a_person_picks_by_number_or_name_from_all_there_is() {
    let choices = choices();
    for (answer, picked) in [("1", choices[0].0), ("podaac", "podaac"), ("PODAAC", "podaac"), ("sts", "sts")] {
        let person = Person::new(&[answer]);
        assert_eq!(chosen(&person).unwrap(), picked);
        assert!(choices.iter().all(|(name, opens)| person.heard().contains(name) && person.heard().contains(opens)));
    }
    let last: &'static str = choices.len().to_string().leak();
    assert_eq!(chosen(&Person::new(&[last])).unwrap(), choices.last().unwrap().0);
    for bad in ["0", "99", "", "-1"] {
        assert!(chosen(&Person::new(&[bad])).is_err(), "{bad}");
    }
}

#[test]
fn without_a_person_what_is_missing_is_a_mistake_of_usage_and_so_is_what_is_foreign() {
    let judged = |words: &[&str], prompt: &dyn Prompt| {
        let (args, given) = parsed(words).unwrap();
        judge_for(&args, &given, prompt)
    };
    for (words, said) in [
        (&[][..], "valetkey add --help"),
        (&["podaack"], "did you mean podaac?"),
        (&["sts", "--role-arn", ROLE], "valetkey add sts NAME"),
        (&["sts", "x"], "--role-arn is missing"),
        (&["sts", "x", "--operation", "federation-token"], "--bucket is missing"),
        (&["cray", "x"], "--gateway is missing"),
        (&["podaac", "--bucket", "b"], "provider earthdata has no --bucket"),
        (&["podaac", "--read-only"], "provider earthdata has no --access"),
        (&["podaac", "--statement", "{}"], "provider earthdata has no --statement"),
        (&["cray", "x", "--endpoint", "https://a", "--s3-endpoint", "https://b"], "--endpoint and --s3-endpoint"),
    ] {
        let error = judged(words, &Nobody).unwrap_err();
        assert!(error.text().contains(said), "{words:?}: {}", error.text());
        let askable = said.contains("missing") || words.is_empty() || said.ends_with("NAME");
        assert_eq!(judged(words, &Person::new(&[])).is_ok(), askable, "{words:?}");
    }
    for good in [&["podaac"][..], &["sts", "x", "--role-arn", ROLE], &["cray", "x", "--gateway", "https://gw"]] {
        assert_eq!(judged(good, &Nobody), Ok(()), "{good:?}");
    }
}

#[test]
fn access_has_two_short_forms_that_do_not_go_with_each_other_nor_with_itself() {
    for access in ["read-only", "write-only"] {
        let flag = format!("--{access}");
        assert_eq!(parsed(&["sts", "x", &flag]).unwrap().1, pairs(&[("access", access)]));
        for other in [&["--read-only", "--write-only"][..], &[&flag, "--access", "read-write"]] {
            let error = parsed(&[&["sts", "x"], other].concat()).unwrap_err();
            let text = error.to_string();
            assert!(error.exit_code() == 2 && other[..2].iter().all(|option| text.contains(option)), "{text}");
        }
    }
}

#[test]
fn statements_are_given_one_by_one_and_written_as_a_list() {
    let [one, two] = ["a*", "b"]
        .map(|bucket| format!(r#"{{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}"}}"#));
    let words = ["sts", "x", "--role-arn", ROLE, "--statement", &one, "--statements", &two];
    let settings = settings(&words, &Nobody).unwrap();
    assert_eq!(settings[1..], pairs(&[("statements", &one), ("statements", &two)]));
    let addition = Addition {
        profile: "x".into(),
        provider: "sts",
        called: "sts",
        login: None,
        login_settings: Vec::new(),
        settings,
    };
    let written = added("", &addition, Path::new("/c"), Path::new("/")).unwrap().text;
    let read = Config::parse(&written, Path::new("/c"), Path::new("/")).unwrap();
    assert_eq!(read.profiles["x"].settings.list("statements"), [one.clone(), two], "{written}");
    assert!(written.contains(&format!("statements = ['{one}', ")), "{written}");
}

#[test]
fn crays_endpoint_is_its_s3s() {
    let words = ["cray", "x", "--gateway", "https://gw", "--endpoint", "http://rgw-vip.nmn"];
    let expected = pairs(&[("gateway", "https://gw"), ("s3_endpoint", "http://rgw-vip.nmn")]);
    let mut settings = settings(&words, &Nobody).unwrap();
    settings.sort();
    assert_eq!(settings, expected);
}
