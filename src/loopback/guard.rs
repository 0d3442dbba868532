//! Which requests are let in, by their head alone: no web page, no rebound name, no stranger without the token.

use super::token::Token;
use hyper::{HeaderMap, Method};
use std::net::{IpAddr, SocketAddr};

/// What a server demands of each request.
#[derive(Debug, Clone)]
pub struct Guard {
    /// Where we listen: a Host must name it.
    pub own: SocketAddr,
    /// Whether any Host will do: of an address that has names which we do not know, where the token stands for all.
    pub any_host: bool,
    /// What Authorization must be, to the byte.
    pub token: Option<Token>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Method,
    Host,
    Page,
    Token,
    /// The kernel does not say whose process asks, and there is no token.
    Untold,
    Body,
}

/// What browsers and proxies send, and no SDK.
const OF_PAGES: [&str; 4] = ["origin", "referer", "x-forwarded-for", "forwarded"];

impl Guard {
    /// Before anything is looked up. `has_body`: nothing here takes one.
    pub fn judge(&self, method: &Method, headers: &HeaderMap, has_body: bool) -> Result<(), Refused> {
        if !self.any_host && !self.is_our_host(headers) {
            return Err(Refused::Host);
        }
        let site = headers.get_all("sec-fetch-site").iter().all(|site| site.as_bytes() == b"none");
        if !site || OF_PAGES.iter().any(|name| headers.contains_key(*name)) {
            return Err(Refused::Page);
        }
        // An address that others reach has a token, or answers nobody.
        if self.token.is_none() && self.any_host {
            return Err(Refused::Token);
        }
        if let Some(token) = &self.token {
            let mut given = headers.get_all("authorization").iter();
            match (given.next(), given.next()) {
                (Some(given), None) if token.is(given.as_bytes()) => {}
                _ => return Err(Refused::Token),
            }
        }
        match *method {
            _ if has_body => Err(Refused::Body),
            Method::GET | Method::HEAD => Ok(()),
            _ => Err(Refused::Method),
        }
    }

    /// A name that resolves to the loopback by somebody's DNS is not ours.
    fn is_our_host(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all("host").iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let named = |name: &str| match host.to_str().ok().and_then(|host| host.strip_prefix(name)) {
            Some("") => self.own.port() == 80,
            Some(port) => port.strip_prefix(':').is_some_and(|port| port == self.own.port().to_string()),
            None => false,
        };
        let own = match self.own.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        ["localhost", "127.0.0.1", "[::1]", &own].into_iter().any(named)
    }
}

impl Refused {
    pub fn status(self) -> u16 {
        match self {
            Refused::Method => 405,
            Refused::Host | Refused::Page | Refused::Untold => 403,
            Refused::Token => 401,
            Refused::Body => 413,
        }
    }

    /// One short sentence.
    pub fn reason(self) -> &'static str {
        match self {
            Refused::Method => "only GET and HEAD are answered here",
            Refused::Host => "the Host of the request is not localhost, 127.0.0.1 or [::1] with this port",
            Refused::Page => "web pages and proxies are not answered here",
            Refused::Token => "the Authorization header is not this server's token",
            Refused::Untold => "whose process asks cannot be told here: a token is needed",
            Refused::Body => "a request with a body is not answered here",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn judge(token: Option<&str>, headers: &[(&str, &str)]) -> Result<(), Refused> {
        let guard = Guard { own: own("127.0.0.1:8094"), any_host: false, token: token.map(Token::of) };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        guard.judge(&Method::GET, &map, false)
    }

    fn own(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    const HOST: (&str, &str) = ("host", "localhost:8094");

    #[test]
    fn s36_only_our_own_names_with_our_port_are_hosts() {
        for good in ["localhost:8094", "127.0.0.1:8094", "[::1]:8094"] {
            assert_eq!(judge(None, &[("host", good)]), Ok(()), "{good}");
        }
        for bad in [
            "localhost",
            "localhost:80",
            "evil.org:8094",
            "127.0.0.1.evil.org:8094",
            "localhost:8094.evil.org",
            "localhost:08094",
            "127.0.0.2:8094",
            "",
            "user@localhost:8094",
        ] {
            assert_eq!(judge(None, &[("host", bad)]), Err(Refused::Host), "{bad}");
        }
        assert_eq!(judge(None, &[]), Err(Refused::Host));
        assert_eq!(judge(None, &[HOST, HOST]), Err(Refused::Host));
        let second = Guard { own: own("127.0.0.2:8094"), any_host: false, token: None };
        let named = HeaderMap::from_iter([(hyper::header::HOST, HeaderValue::from_static("127.0.0.2:8094"))]);
        assert_eq!(second.judge(&Method::GET, &named, false), Ok(()), "the address that it listens on");
        let on_80 = Guard { own: own("127.0.0.1:80"), any_host: false, token: None };
        let bare = HeaderMap::from_iter([(hyper::header::HOST, HeaderValue::from_static("localhost"))]);
        assert_eq!(on_80.judge(&Method::GET, &bare, false), Ok(()));
    }

    #[test]
    fn s37_what_only_browsers_and_proxies_send_is_refused() {
        for (name, value) in [
            ("origin", "http://localhost:8094"),
            ("referer", "x"),
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=x"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert_eq!(judge(None, &[HOST, (name, value)]), Err(Refused::Page), "{name}");
        }
        assert_eq!(judge(None, &[HOST, ("sec-fetch-site", "none")]), Ok(()));
    }

    #[test]
    fn s37_reading_alone_is_answered_and_no_body_is_taken() {
        let guard = Guard { own: own("127.0.0.1:8094"), any_host: false, token: None };
        let host = HeaderMap::from_iter([(hyper::header::HOST, HeaderValue::from_static("localhost:8094"))]);
        let judge = |method, body| guard.judge(&method, &host, body);
        assert_eq!(judge(Method::HEAD, false), Ok(()));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::CONNECT, Method::TRACE] {
            assert_eq!(judge(method, false), Err(Refused::Method));
        }
        assert_eq!(judge(Method::GET, true), Err(Refused::Body));
    }

    #[test]
    fn s35_an_address_that_others_reach_answers_nobody_without_a_token() {
        let guard = |token| Guard { own: own("127.0.0.1:8094"), any_host: true, token };
        let any = HeaderMap::from_iter([(hyper::header::HOST, HeaderValue::from_static("node7"))]);
        assert_eq!(guard(None).judge(&Method::GET, &any, false), Err(Refused::Token));
        assert_eq!(guard(Some(Token::of("x"))).judge(&Method::GET, &any, false), Err(Refused::Token));
    }

    #[test]
    fn s38_the_token_is_the_whole_header_and_there_is_one() {
        let authorization = |value| ("authorization", value);
        assert_eq!(judge(Some("s3cret"), &[HOST, authorization("s3cret")]), Ok(()));
        for bad in ["", "s3cre", "s3crets", "Bearer s3cret", "S3cret"] {
            assert_eq!(judge(Some("s3cret"), &[HOST, authorization(bad)]), Err(Refused::Token), "{bad}");
        }
        assert_eq!(judge(Some("s3cret"), &[HOST]), Err(Refused::Token));
        let twice = [HOST, authorization("s3cret"), authorization("s3cret")];
        assert_eq!(judge(Some("s3cret"), &twice), Err(Refused::Token));
    }
}
