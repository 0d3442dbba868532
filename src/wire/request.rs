//! The helper's one request, and the rule for names that may stand in it.

/// The rule for profile and login names, as it is told to a person.
pub const NAME_RULE: &str =
    "a name has 1 to 64 characters out of A-Z a-z 0-9 _ . @ + = , - and does not begin with a dot";

/// Whether `name` may name a profile or a login. What passes can stand in a URL path, a file name and a log line.
pub fn valid_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@+=,-".contains(&b))
}

/// The bytes that ask for the credentials of `profile`, which must be a [valid name](valid_name).
///
/// HTTP/1.0, so that the daemon closes when it has answered and one read to end of file is enough.
pub fn credentials_request(profile: &str) -> Vec<u8> {
    format!("GET /v1/profiles/{profile}/credentials HTTP/1.0\r\nhost: valetkey\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_by_the_rule() {
        for good in ["podaac", "a", "me@site+1=x,y-z.b_C", &"x".repeat(64)] {
            assert!(valid_name(good), "{good}");
        }
        for bad in ["", ".hidden", "a/b", "a b", "a%41", "ü", "a\n", &"x".repeat(65)] {
            assert!(!valid_name(bad), "{bad}");
        }
    }
}
