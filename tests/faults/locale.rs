//! F25: zones and languages of every kind. What programs read is the same to the byte.

use crate::common::{COMMAND, HELPER, signed_in, stderr};
use crate::{FILE, NO_DAEMON};

#[test]
fn f25_no_zone_and_no_language_changes_a_byte() {
    let odd = [
        ("TZ", "Pacific/Apia"),
        ("TZ", ":/nonexistent"),
        ("TZ", "XYZ-99:99"),
        ("TZ", ""),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("LC_ALL", "no_such@locale"),
        ("LC_ALL", "C"),
        ("LC_TIME", "ar_SA.UTF-8"),
        ("LC_NUMERIC", "de_DE.UTF-8"),
        ("LANG", "ja_JP.SJIS"),
        ("LANGUAGE", "xx"),
    ];
    for head in [FILE, NO_DAEMON] {
        let (_issuer, place) = signed_in(head);
        let ask = |program: &str, words: &[&str], variable: Option<(&str, &str)>| {
            let mut command = place.program(program);
            let output = command.args(words).envs(variable).output().unwrap();
            (output.status.code(), stderr(&output), output.stdout)
        };
        let asks: [(&str, &[&str]); 4] =
            [(HELPER, &["podaac"]), (COMMAND, &["credentials", "podaac"]), (HELPER, &["nobody"]), (COMMAND, &["list"])];
        let plain = asks.map(|(program, words)| ask(program, words, None));
        assert_eq!(plain[0].0, Some(0), "{}", plain[0].1);
        for variable in odd {
            if head == FILE {
                // A daemon that was started under it, from the cache.
                place.ok(&["stop"]);
            }
            for ((program, words), plain) in asks.iter().zip(&plain) {
                assert_eq!(&ask(program, words, Some(variable)), plain, "{variable:?} {words:?}");
            }
        }
    }
}
