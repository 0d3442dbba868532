//! What an issuer sees of many daemons over a day, under the policy of `valetkey::freshness` and under two others.
//!
//! `cargo run --release --example herd -- [--daemons N]..`: without N, the tables of docs/herd.md.

mod day;
mod rules;

use day::{Day, Weather, live};
use rules::Rule;
use std::process::ExitCode;

/// The herds of the table.
const HERDS: [u64; 3] = [500, 10_000, 100_000];
/// Outages of how many minutes, and whether the issuer comes back with a fiftieth of the herd as its capacity in a second. That
/// takes long to go through, and is for herds up to [`QUEUED`].
const WEATHERS: [(u32, bool); 5] = [(0, false), (5, false), (20, false), (40, false), (20, true)];
const QUEUED: u64 = 1000;
const RENEWALS: [usize; 5] = [1, 2, 4, 8, 24];

fn main() -> ExitCode {
    let herds = match herds(std::env::args().skip(1)) {
        Ok(herds) if herds.is_empty() => HERDS.to_vec(),
        Ok(herds) => herds,
        Err(wrong) => {
            eprintln!("herd: error: {wrong}\nhint: herd [--daemons N]..");
            return ExitCode::from(2);
        }
    };
    for line in SPREAD_HEAD.into_iter().map(str::to_owned).chain(spread(herds[0])).chain([String::new()]) {
        println!("{line}");
    }
    for line in DAYS_HEAD {
        println!("{line}");
    }
    for herd in herds {
        days(herd).for_each(|line| println!("{line}"));
    }
    ExitCode::SUCCESS
}

fn herds(mut arguments: impl Iterator<Item = String>) -> Result<Vec<u64>, String> {
    let mut herds = Vec::new();
    while let Some(argument) = arguments.next() {
        let number = arguments.next().filter(|_| argument == "--daemons");
        let number = number.ok_or_else(|| format!("{argument} is not --daemons N"))?;
        herds.push(number.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("{number} is no number of daemons"))?);
    }
    Ok(herds)
}

const SPREAD_HEAD: [&str; 2] = ["| renewal | valetkey: first to last | 5 min before | botocore |", "|--:|--:|--:|--:|"];

/// How far a herd that was started within a minute has come apart.
fn spread(daemons: u64) -> impl Iterator<Item = String> {
    let days = Rule::ALL.map(|rule| live(daemons, rule, Weather { outage: 0.0, capacity: None }));
    let cell = |day: &Day, renewal: usize| {
        day.renewals.get(renewal).map_or("-".into(), |(first, last)| format!("{:.1} min", (last - first) / 60.0))
    };
    RENEWALS.into_iter().map(move |renewal| {
        let [ours, fixed, botocore] = days.each_ref().map(|day| cell(day, renewal));
        format!("| {renewal} | {ours} | {fixed} | {botocore} |")
    })
}

const DAYS_HEAD: [&str; 2] = [
    "| daemons | outages | rule | mean/s | peak/s in 1 s | peak/s in 10 s | failed uses | longest failure |",
    "|--:|---|---|--:|--:|--:|--:|--:|",
];

fn days(daemons: u64) -> impl Iterator<Item = String> {
    let weathers = WEATHERS.into_iter().filter(move |(_, slow)| !slow || daemons <= QUEUED);
    weathers.flat_map(move |(minutes, slow)| Rule::ALL.map(|rule| row(daemons, minutes, slow, rule)))
}

fn row(daemons: u64, minutes: u32, slow: bool, rule: Rule) -> String {
    let capacity = slow.then_some(daemons as f64 / 50.0);
    let day = live(daemons, rule, Weather { outage: f64::from(minutes * 60), capacity });
    let weather = match (minutes, slow) {
        (0, _) => "none".to_owned(),
        (_, false) => format!("{minutes} min"),
        (_, true) => format!("{minutes} min, slow"),
    };
    let (mean, second, ten) = (day.mean(), day.peak(1), day.peak(10));
    let (failed, longest) = (100.0 * day.failed / (daemons as f64 * 86_400.0), day.longest / 60.0);
    let name = rule.name();
    format!(
        "| {daemons} | {weather} | {name} | {mean:.2} | {second:.0} | {ten:.1} | {failed:.1} % | {longest:.1} min |"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../docs/herd.md");

    #[test]
    fn the_page_shows_what_the_program_prints() {
        let lines: Vec<&str> = PAGE.lines().collect();
        let heads = SPREAD_HEAD.into_iter().chain(DAYS_HEAD).map(str::to_owned);
        // A queue that never empties takes its time: ours does.
        let days = WEATHERS.into_iter().flat_map(|(minutes, slow)| {
            let rules = Rule::ALL.into_iter().filter(move |rule| !slow || *rule == Rule::Valetkey);
            rules.map(move |rule| row(500, minutes, slow, rule))
        });
        let printed = heads.chain(spread(500)).chain(days);
        for line in printed {
            assert!(lines.contains(&line.as_str()), "docs/herd.md lacks\n{line}");
        }
        for herd in HERDS {
            let rows = lines.iter().filter(|line| line.starts_with(&format!("| {herd} |"))).count();
            let weathers = WEATHERS.iter().filter(|(_, slow)| !slow || herd <= QUEUED).count();
            assert_eq!(rows, weathers * Rule::ALL.len(), "{herd} daemons");
        }
    }

    #[test]
    fn a_herd_that_was_started_together_spreads_its_renewals_over_minutes() {
        let of = |rule| live(500, rule, Weather { outage: 0.0, capacity: None });
        let (ours, fixed) = (of(Rule::Valetkey), of(Rule::Fixed));
        let span = |day: &Day, renewal: usize| day.renewals[renewal].1 - day.renewals[renewal].0;
        assert!(span(&ours, 1) > 5.0 * 60.0 && span(&ours, 4) > 20.0 * 60.0);
        assert!(span(&fixed, 20) < 60.0);
        assert!(ours.peak(10) < fixed.peak(10) / 2.0, "{} {}", ours.peak(10), fixed.peak(10));
    }

    #[test]
    fn t9_an_outage_of_twenty_minutes_is_invisible_to_the_whole_herd() {
        let day = live(500, Rule::Valetkey, Weather { outage: 20.0 * 60.0, capacity: None });
        assert_eq!((day.failed, day.longest), (0.0, 0.0));
    }

    #[test]
    fn what_is_said_to_it_is_read() {
        let read = |words: &[&str]| herds(words.iter().map(|word| word.to_string()));
        assert_eq!(read(&["--daemons", "7", "--daemons", "9"]), Ok(vec![7, 9]));
        assert!(read(&["--daemons"]).is_err() && read(&["--daemons", "0"]).is_err() && read(&["7", "8"]).is_err());
    }
}
