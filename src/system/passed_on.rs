//! The variables that a process of ours starts with: an allow-list, the same for a daemon and for a program of the user's.

use std::ffi::OsString;

/// Neither keys and tokens of whoever started us, nor what changes how a program is loaded.
pub(super) const PASSED_ON: &[&str] = &[
    // Who runs it, where things are and in which words.
    "HOME",
    "LANG",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    // The way out: whose certificates are trusted, which proxy is asked. curl reads the lower case alone for http.
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    // Where the agents listen that keep a user's secrets, without which `oidc-token`, `pass` or `ssh` find nothing:
    // addresses and names of files, no secrets.
    "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME",
    "GPG_AGENT_INFO",
    "KRB5CCNAME",
    "OIDC_SOCK",
    "SSH_AUTH_SOCK",
];

/// Those that are set, as they are.
#[allow(clippy::disallowed_methods)] // They are passed on, not read.
pub(super) fn passed_on(more: &[&'static str]) -> Vec<(&'static str, OsString)> {
    chosen(more, |name| std::env::var_os(name))
}

fn chosen(more: &[&'static str], variable: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, OsString)> {
    let names = PASSED_ON.iter().chain(more);
    names.filter_map(|name| Some((*name, variable(name).filter(|value| !value.is_empty())?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s24_agents_and_proxies_are_passed_on_and_keys_are_not() {
        let all = |name: &str| Some(OsString::from(name));
        let given: Vec<&str> = chosen(&["VALETKEY_HOME"], all).into_iter().map(|(name, _)| name).collect();
        for agent in ["OIDC_SOCK", "SSH_AUTH_SOCK", "KRB5CCNAME", "GPG_AGENT_INFO", "DBUS_SESSION_BUS_ADDRESS"] {
            assert!(given.contains(&agent), "{agent}");
        }
        for proxy in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
            assert!(given.contains(&proxy) && given.contains(&proxy.to_ascii_lowercase().as_str()), "{proxy}");
        }
        for kept in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LD_PRELOAD", "LD_LIBRARY_PATH"] {
            assert!(!given.contains(&kept), "{kept}");
        }
        assert!(given.contains(&"VALETKEY_HOME"));
        assert!(chosen(&[], |_| Some(OsString::new())).is_empty(), "what is empty is not set");
    }
}
