//! The five kinds of error, by what remedies them; their HTTP status, exit code and name.

/// What a user has to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person must sign in, or unlock the keyring.
    LoginRequired,
    /// A right is missing: a role, a policy, an unaccepted EULA.
    Denied,
    /// Nothing to mend here: the issuer, the network or the daemon is away or busy.
    Unavailable,
    /// A file must be edited, or a name corrected.
    Configuration,
    /// Somebody's bug: an answer that makes no sense.
    Protocol,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::LoginRequired, Kind::Denied, Kind::Unavailable, Kind::Configuration, Kind::Protocol];

    /// The word in the [`ERROR_HEADER`](super::ERROR_HEADER) and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::LoginRequired => "login-required",
            Kind::Denied => "denied",
            Kind::Unavailable => "unavailable",
            Kind::Configuration => "configuration",
            Kind::Protocol => "protocol",
        }
    }

    pub const fn http_status(self) -> u16 {
        match self {
            Kind::LoginRequired => 401,
            Kind::Denied => 403,
            Kind::Unavailable => 503,
            Kind::Configuration => 404,
            Kind::Protocol => 502,
        }
    }

    /// What a program of ours exits with. 0 is success, 1 anything else, 2 a usage error.
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::LoginRequired => 3,
            Kind::Denied => 4,
            Kind::Unavailable => 5,
            Kind::Configuration => 6,
            Kind::Protocol => 7,
        }
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of a status; for a daemon newer than us, whose kind's name we do not know.
    pub fn from_status(status: u16) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.http_status() == status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_statuses_and_exit_codes_tell_the_kinds_apart() {
        for (i, a) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::from_name(a.name()), Some(a));
            assert_eq!(Kind::from_status(a.http_status()), Some(a));
            assert!(a.exit_code() > 2, "0, 1 and 2 have meanings of their own");
            for b in &Kind::ALL[i + 1..] {
                assert_ne!(a.exit_code(), b.exit_code());
            }
        }
    }
}
