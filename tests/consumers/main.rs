//! Each consumer's own parser on our answers: 50 requests at moto's S3 by each form, and how often keys were fetched for them.
//!
//! `docs/consumers.md` has the table that is printed here.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod rust_sdk;
mod stage;

use stage::{COUNT, Form, Ran, Stage};

/// What a consumer is expected to do with a form.
#[derive(Clone, Copy)]
enum Expected {
    /// Fetches once, and keeps what it got.
    Once,
    /// Fetches for each request, however long the keys are good.
    Each,
    /// Cannot: why.
    No(&'static str),
}

use Expected::{Each, No, Once};

struct Consumer {
    name: &'static str,
    /// A script of tests/peers/consumers; the one for Rust is in here.
    script: &'static str,
    process: Expected,
    container: Expected,
}

const CONSUMERS: &[Consumer] = &[
    Consumer { name: "AWS CLI", script: "aws_cli.sh", process: Once, container: Once },
    Consumer { name: "boto3", script: "boto3_get.py", process: Once, container: Once },
    Consumer { name: "s3fs (Python)", script: "s3fs_get.py", process: Once, container: Once },
    Consumer { name: "AWS SDK for JavaScript", script: "sdk_js.cjs", process: Once, container: Once },
    Consumer { name: "AWS SDK for Rust", script: rust_sdk::SCRIPT, process: Once, container: Once },
    Consumer {
        name: "rclone",
        script: "rclone.sh",
        process: Once,
        container: No("its SDK is too old for a token file: use the process form, or exec --static"),
    },
    Consumer {
        name: "rasterio's GDAL",
        script: "rasterio_read.py",
        process: No("before GDAL 3.12: use exec, or AWSSession as below"),
        container: Once,
    },
    Consumer { name: "rasterio, AWSSession", script: "rasterio_boto3.py", process: Once, container: Once },
    Consumer { name: "GDAL 3.12 (pyogrio)", script: "pyogrio_read.py", process: Each, container: Once },
    Consumer { name: "obstore", script: "obstore_get.py", process: Once, container: Once },
];

#[test]
fn every_consumer_reads_by_the_forms_it_knows_and_none_fetches_again_before_15_minutes_are_left() {
    let Some(stage) = Stage::new() else { return };
    let documented = include_str!("../../docs/consumers.md");
    let mut rows =
        vec!["| consumer | version | form | works | fetches for 50 requests, 1 h | the same, 16 min |".to_owned()];
    let mut wrong = Vec::new();
    for consumer in CONSUMERS {
        for (form, expected) in [(Form::Process, consumer.process), (Form::Container, consumer.container)] {
            let (hour, short) = (stage.run(consumer.script, form, "hour"), stage.run(consumer.script, form, "short"));
            let (row, as_expected) = judged(consumer, form, expected, &hour, &short);
            if !as_expected {
                wrong.push(format!("{row}\n{}\n{}", hour.said, short.said));
            }
            // Versions of what Debian ships differ from one to the next.
            let known = |row: &str| documented.lines().any(|line| without_version(line) == without_version(row));
            if !known(&row) {
                wrong.push(format!("docs/consumers.md does not have: {row}"));
            }
            rows.push(row);
        }
    }
    println!("{}", rows.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A row of the table, and whether it is what was expected.
fn judged(consumer: &Consumer, form: Form, expected: Expected, hour: &Ran, short: &Ran) -> (String, bool) {
    let (name, form) = (consumer.name, form.name());
    let version = hour.version.as_deref().unwrap_or("-");
    let worked = |ran: &Ran| ran.read == Some(COUNT);
    match expected {
        No(why) => (format!("| {name} | {version} | {form} | no: {why} | | |"), !worked(hour) && !worked(short)),
        Once | Each => {
            let row = |hour: &str, short: &str| format!("| {name} | {version} | {form} | yes | {hour} | {short} |");
            let as_expected = |fetched: usize| match expected {
                Once => fetched == 1,
                // One for each request, and a few for how a file is opened.
                _ => (COUNT..COUNT + 5).contains(&fetched),
            };
            let all = worked(hour) && worked(short) && as_expected(hour.fetched) && as_expected(short.fetched);
            let shown = |ran: &Ran| match expected {
                Once => ran.fetched.to_string(),
                _ => "each".to_owned(),
            };
            (row(&shown(hour), &shown(short)), all)
        }
    }
}

fn without_version(row: &str) -> String {
    row.split('|')
        .map(str::trim)
        .enumerate()
        .filter(|(index, _)| *index != 2)
        .map(|(_, cell)| cell)
        .collect::<Vec<_>>()
        .join("|")
}

/// What cannot ask a container's endpoint reads keys from the environment.
#[test]
fn what_knows_neither_form_reads_by_exec_static() {
    let Some(stage) = Stage::new() else { return };
    let ran = stage.run("rclone.sh", Form::Static, "hour");
    assert_eq!(ran.read, Some(COUNT), "{}", ran.said);
}
