//! What the broker knows: troubles, failures with their remedies, ends of sign-ins, and clocks that differ.

use super::line::Line;
use crate::broker::Status;
use crate::config::Profile;

/// S3 refuses signatures of a clock that is off by more; what is more than a second or two is worth a word.
const REFUSED: i64 = 15 * 60;
const WORTH_A_WORD: i64 = 60;

pub(super) fn of_status(status: &Status, chosen: &[&Profile]) -> Vec<Line> {
    let mut lines = Vec::new();
    if status.locked {
        lines.push(Line::wrong("locked", "nothing is given out", "run: valetkey unlock"));
    }
    for (area, trouble) in &status.troubles {
        // Most say what to do at their end.
        let (what, remedy) = trouble.rsplit_once("; ").unwrap_or((trouble, "see: valetkey status"));
        lines.push(Line::wrong(area, what, remedy));
    }
    let logins = status.logins.iter().filter(|login| chosen.iter().any(|profile| profile.login == login.name));
    for login in logins {
        lines.push(match (&login.error, &login.notice) {
            (Some(error), _) => Line::of_error(&login.name, error),
            (None, Some(notice)) => Line::note(&login.name, notice, format!("run: valetkey login {}", login.name)),
            (None, None) => Line::fine(&login.name, login.who.clone().unwrap_or_else(|| "signed in".to_owned())),
        });
    }
    for profile in status.profiles.iter().filter(|known| chosen.iter().any(|profile| profile.name == known.name)) {
        lines.push(match &profile.error {
            Some(error) => Line::of_error(&profile.name, error),
            None => Line::fine(&profile.name, profile.state.clone()),
        });
        lines.extend(profile.offset.and_then(|offset| skew(&profile.name, offset)));
    }
    lines
}

/// `offset`: seconds by which an issuer's clock is ahead of this host's.
pub(super) fn skew(about: &str, offset: i64) -> Option<Line> {
    let way = if offset < 0 { "ahead of" } else { "behind" };
    let by = offset.unsigned_abs();
    let by = if by < 120 { format!("{by} s") } else { format!("{} min", by / 60) };
    let what = format!("this host's clock is {by} {way} the issuer's");
    let fix = "set the clock: timedatectl set-ntp true";
    match offset.abs() {
        off if off >= REFUSED => Some(Line::wrong(about, format!("{what}: S3 refuses what SDKs sign by it"), fix)),
        off if off >= WORTH_A_WORD => Some(Line::note(about, what, fix)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s34_a_clock_that_is_off_is_noted_and_from_fifteen_minutes_on_wrong() {
        assert_eq!(skew("p", 3), None);
        assert!(skew("p", 61).is_some_and(|line| !line.is_wrong() && line.says("61 s behind the issuer's")));
        assert!(skew("p", -41 * 60).is_some_and(|line| line.is_wrong() && line.says("41 min ahead of the issuer's")));
    }
}
