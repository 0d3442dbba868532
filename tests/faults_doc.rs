//! `docs/faults.md` against the tests themselves: every fault once, every test there is, and no test forgotten.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// `path::name` of a test.
type Name = String;

/// The faults of the document, each with the tests that it names.
fn documented() -> Vec<(String, Vec<Name>)> {
    let text = std::fs::read_to_string(root().join("docs/faults.md")).unwrap();
    let mut faults: Vec<(String, Vec<Name>)> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            faults.push((title.split_once(": ").unwrap_or((title, "")).0.to_owned(), Vec::new()));
        } else if let Some(name) = line.strip_prefix("- `") {
            faults.last_mut().unwrap().1.push(name.trim_end_matches('`').to_owned());
        }
    }
    faults
}

/// All functions of this repository that are run as tests.
fn tests() -> BTreeSet<Name> {
    let mut files = Vec::new();
    for place in ["src", "tests"] {
        rust_files(&root().join(place), &mut files);
    }
    let mut tests = BTreeSet::new();
    for file in files {
        let path = file.strip_prefix(root()).unwrap().display().to_string();
        let (mut is_test, text) = (false, std::fs::read_to_string(&file).unwrap());
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((before, after)) = line.split_once("fn ")
                && matches!(before, "" | "async ")
            {
                let name = after.split('(').next().unwrap_or_default();
                if std::mem::take(&mut is_test) {
                    tests.insert(format!("{path}::{name}"));
                }
            }
        }
    }
    tests
}

fn rust_files(place: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(place).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The ids in a test's own name: `f08` and `f12` of `f08_f12_a_token_is_sent_once`.
fn ids(test: &str) -> Vec<String> {
    let name = test.rsplit("::").next().unwrap_or_default();
    let is_id = |word: &&str| word.len() == 3 && word.starts_with('f') && word[1..].bytes().all(|b| b.is_ascii_digit());
    name.split('_').filter(is_id).map(str::to_uppercase).collect()
}

#[test]
fn every_fault_stands_there_once_and_in_order() {
    let there: Vec<String> = documented().into_iter().map(|(id, _)| id).collect();
    let all: Vec<String> = (1..=30).map(|number| format!("F{number:02}")).collect();
    assert_eq!(there, all);
    let text = std::fs::read_to_string(root().join("docs/faults.md")).unwrap();
    let rows =
        text.lines().filter_map(|line| line.strip_prefix("| F")?.split_once(' ')).map(|(id, _)| format!("F{id}"));
    assert_eq!(rows.collect::<Vec<_>>(), all, "the table");
}

#[test]
fn every_fault_has_a_test_that_is_named_for_it_and_every_name_is_a_test() {
    let tests = tests();
    for (id, named) in documented() {
        assert!(named.iter().any(|test| ids(test).contains(&id)), "{id} has no test that bears its name");
        for test in named {
            assert!(tests.contains(&test), "{id}: there is no test {test}");
        }
    }
}

#[test]
fn every_test_that_bears_an_id_is_named_there() {
    let documented: BTreeMap<String, Vec<Name>> = documented().into_iter().collect();
    let tests = tests();
    assert!(tests.len() > 400, "{} tests were found: is the reader still right?", tests.len());
    for test in tests {
        for id in ids(&test) {
            let named = documented.get(&id).is_some_and(|named| named.contains(&test));
            assert!(named, "{id} of docs/faults.md does not name {test}");
        }
    }
}
