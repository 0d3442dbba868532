//! Each step's answer, and what it means.

use super::*;
use crate::wire::Kind;

const PAGE: &str = "https://urs.example.org/oauth/authorize?client_id=a%26b&app_type=401";

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Response { status, headers, body: Secret::new(body) }
}

fn urls() -> (Url, Url, Url) {
    let url = |text: &str| text.parse().unwrap();
    (url(PAGE), url("https://data.example.org/s3credentials"), url("https://urs.example.org"))
}

fn to_page(location: &str) -> Result<Url, Error> {
    let (_, endpoint, urs) = urls();
    sign_in_page(&response(302, &[("location", location)], ""), &endpoint, &urs)
}

fn back(status: u16, location: &str, body: &str) -> Result<Url, Error> {
    let (page, endpoint, urs) = urls();
    callback(&response(status, &[("location", location)], body), &page, &endpoint, &urs)
}

fn set(status: u16, headers: &[&str]) -> Result<String, Error> {
    let (page, endpoint, urs) = urls();
    let headers: Vec<_> = headers.iter().map(|value| ("set-cookie", *value)).collect();
    cookies(&response(status, &headers, ""), &page, &endpoint, &urs).map(|cookies| cookies.expose().to_owned())
}

#[test]
fn s29_the_password_is_wanted_by_the_sign_in_page_alone() {
    assert_eq!(to_page(PAGE).unwrap().as_str(), PAGE);
    assert_eq!(to_page(&format!("{PAGE}#x")).unwrap().as_str(), PAGE);
    for bad in [
        "http://urs.example.org/oauth/authorize?client_id=a",
        "https://urs.example.org:444/oauth/authorize?client_id=a",
        "https://urs.example.org.evil.org/oauth/authorize",
        "https://urs.example.org@evil.org/oauth/authorize",
        "https://evil.org\\@urs.example.org/oauth/authorize",
        "https://ada@urs.example.org/oauth/authorize",
        "https://:pw@urs.example.org/oauth/authorize",
        "https://urs-example.org/oauth/authorize",
        "https://urs.ex\u{430}mple.org/oauth/authorize",
        "https://urs.example.org/oauth/authorize/../elsewhere",
        "https://urs.example.org/x/oauth/authorize",
        "https://urs.example.org/oauth/authorize/",
        "https://urs.example.org/oauth%2Fauthorize",
        "//urs.example.org/oauth/authorize",
        "/oauth/authorize",
        "",
    ] {
        assert_eq!(to_page(bad).unwrap_err().kind(), Kind::Configuration, "{bad}");
    }
}

#[test]
fn s29_the_code_goes_back_to_the_endpoints_origin_alone() {
    let good = "https://data.example.org/login?code=c&state=s";
    assert_eq!(back(302, good, "").unwrap().as_str(), good);
    assert_eq!(back(303, good, "").unwrap().as_str(), good);
    for bad in [
        "http://data.example.org/login?code=c",
        "https://data.example.org:8443/login?code=c",
        "https://data.example.org.evil.org/login?code=c",
        "https://data.example.org@evil.org/login?code=c",
        "https://x@data.example.org/login?code=c",
        "/login?code=c",
        "",
    ] {
        let error = back(302, bad, "").unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{bad}");
        assert!(!error.text().contains("code=") && !error.text().contains("evil"), "{}", error.text());
    }
}

#[test]
fn earthdata_logins_answers_have_their_kinds() {
    let approve = "https://urs.example.org/approve_app?client_id=a%26b";
    for (status, location, body, kind, says) in [
        (401, "", "{}", Kind::LoginRequired, "user name or the password"),
        (200, "", "<!DOCTYPE html><form>", Kind::LoginRequired, "form"),
        (200, "", "{}", Kind::Protocol, "200"),
        (302, "https://data.example.org/login?error=access_denied", "", Kind::Denied, approve),
        (302, "https://data.example.org/login?error=bad%1b", "", Kind::Protocol, "bad?"),
        (302, "https://urs.example.org/approve_app?x=y", "", Kind::Denied, approve),
        (403, "", "{}", Kind::Denied, approve),
        (429, "", "", Kind::Unavailable, "429"),
        (503, "", "", Kind::Unavailable, "503"),
        (307, "https://data.example.org/login?code=c", "", Kind::Protocol, "307"),
    ] {
        let error = back(status, location, body).unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {location} {body}");
        assert!(error.text().contains(says), "{}", error.text());
    }
}

#[test]
fn an_endpoint_that_sends_nobody_to_sign_in_has_its_kinds() {
    let (_, endpoint, urs) = urls();
    for (status, body, kind) in [
        (200, "<html>", Kind::Unavailable),
        (200, "{}", Kind::Protocol),
        (404, "<html>", Kind::Protocol),
        (500, "", Kind::Unavailable),
        (302, "", Kind::Configuration),
    ] {
        let error = sign_in_page(&response(status, &[], body), &endpoint, &urs).unwrap_err();
        assert_eq!(error.kind(), kind, "{status} {body}");
    }
}

#[test]
fn cookies_are_names_and_values_the_last_of_each() {
    let several = ["a=1; Path=/; Domain=evil.org", "b=2=2", "a=3; Secure", "c=", "=d", "e", "f=g h", "i=j\tk"];
    assert_eq!(set(301, &several).unwrap(), "b=2=2; a=3");
    assert_eq!(set(200, &["a=1"]).unwrap(), "a=1");
    assert_eq!(set(301, &["a="]).unwrap_err().kind(), Kind::Protocol);
    assert_eq!(set(401, &["a=1"]).unwrap_err().kind(), Kind::Denied);
    assert_eq!(set(500, &["a=1"]).unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(set(404, &["a=1"]).unwrap_err().kind(), Kind::Protocol);
}
