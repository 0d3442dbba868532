//! S30: TLS 1.2 or later, always verified. Whoever does not show that it is the issuer hears nothing.

use super::ca::{Authority, Identity, file, self_signed};
use super::front::{Front, listen};
use super::{BEARER, ask, is_for_the_user, refused, trusting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use valetkey::ports::Route;
use valetkey::system::http::Network;
use valetkey::wire::Kind;

const HERE: &[&str] = &["localhost", "127.0.0.1"];

/// `identity` is refused in these words, and is told nothing.
async fn distrusted(identity: Identity, ca: &Authority, words: &[&str]) {
    let (front, ca) = (Front::start(Some(identity)).await, ca.file());
    let error = refused(&Network::default(), &front.url("localhost"), &trusting(ca.path())).await;
    is_for_the_user(&error, words);
    is_for_the_user(&error, &["of localhost"]);
    let heard = front.heard();
    assert_eq!((heard.connections, heard.inside.len()), (1, 0), "{}", String::from_utf8_lossy(&heard.inside));
}

#[tokio::test]
async fn s30_a_certificate_of_the_ca_file_is_trusted_by_name_and_by_address() {
    let ca = Authority::new("ours");
    let (front, file) = (Front::start(Some(ca.certify(HERE))).await, ca.file());
    let network = Network::default();
    for host in HERE {
        assert_eq!(ask(&network, &front.url(host), &trusting(file.path())).await.unwrap().status, 200, "{host}");
    }
    assert!(String::from_utf8_lossy(&front.heard().inside).contains(BEARER));
}

#[tokio::test]
async fn s30_an_expired_certificate_is_refused_as_expired() {
    let ca = Authority::new("ours");
    distrusted(ca.certify_between(HERE, (2020, 2021)), &ca, &["has expired", "must renew it"]).await;
}

#[tokio::test]
async fn s30_a_certificate_of_the_future_is_refused_with_a_word_on_the_clock() {
    let ca = Authority::new("ours");
    distrusted(ca.certify_between(HERE, (2095, 2096)), &ca, &["is not valid yet", "clock is behind"]).await;
}

#[tokio::test]
async fn s30_a_certificate_for_another_name_is_refused_with_that_name() {
    let ca = Authority::new("ours");
    let names = &["other.test", "more.test"];
    distrusted(ca.certify(names), &ca, &["is for another name (other.test, more.test)", "check the host"]).await;
}

#[tokio::test]
async fn s30_a_certificate_of_another_ca_is_refused_with_the_ca_file() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    distrusted(theirs.certify(HERE), &ours, &["unknown issuer", "holds the CA that signed it"]).await;
    // Of the same name, and so with the wrong signature.
    let twin = Authority::new("ours");
    distrusted(twin.certify(HERE), &ours, &["cannot be trusted"]).await;
}

#[tokio::test]
async fn s30_a_certificate_that_signed_itself_is_refused() {
    let ours = Authority::new("ours");
    distrusted(self_signed(HERE, false).0, &ours, &["unknown issuer"]).await;
    distrusted(self_signed(HERE, true).0, &ours, &["cannot be trusted"]).await;
}

#[tokio::test]
async fn s30_without_a_ca_file_the_hint_names_the_setting() {
    let front = Front::start(Some(Authority::new("private").certify(HERE))).await;
    let error = refused(&Network::default(), &front.url("localhost"), &Route::default()).await;
    is_for_the_user(&error, &["unknown issuer", "set ca_file"]);
    assert_eq!(front.heard().inside, b"");
}

#[tokio::test]
async fn a_self_signed_certificate_in_the_ca_file_is_trusted_unless_it_is_a_ca() {
    let (identity, pem) = self_signed(HERE, false);
    let (front, trusted) = (Front::start(Some(identity)).await, file(pem));
    assert!(ask(&Network::default(), &front.url("localhost"), &trusting(trusted.path())).await.is_ok());

    let (identity, pem) = self_signed(HERE, true);
    let (front, trusted) = (Front::start(Some(identity)).await, file(pem));
    let error = refused(&Network::default(), &front.url("localhost"), &trusting(trusted.path())).await;
    is_for_the_user(&error, &["it is a CA's own", "without CA:TRUE"]);
    assert_eq!(front.heard().inside, b"");
}

#[tokio::test]
async fn s30_one_issuers_ca_is_trusted_for_no_other() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let (one_file, other_file) = (one.file(), other.file());
    let first = Front::start(Some(one.certify(HERE))).await;
    let second = Front::start(Some(other.certify(HERE))).await;
    // One network, as the daemon has it; the good ones come first, so that their clients are there.
    let network = Network::default();
    assert!(ask(&network, &first.url("localhost"), &trusting(one_file.path())).await.is_ok());
    assert!(ask(&network, &second.url("localhost"), &trusting(other_file.path())).await.is_ok());
    let heard = (first.heard().inside, second.heard().inside);
    for (front, route) in [
        (&first, trusting(other_file.path())),
        (&second, trusting(one_file.path())),
        (&first, Route::default()),
        (&second, Route::default()),
    ] {
        is_for_the_user(&refused(&network, &front.url("localhost"), &route).await, &["unknown issuer"]);
    }
    assert_eq!((first.heard().inside, second.heard().inside), heard);
}

/// The first bytes of a server that would speak this version: ServerHello, TLS_RSA_WITH_AES_128_CBC_SHA.
fn server_hello(version: u8) -> Vec<u8> {
    let mut hello = vec![3, version];
    hello.extend([7; 32]);
    hello.extend([0, 0x00, 0x2f, 0]);
    let mut record = vec![22, 3, version, 0, hello.len() as u8 + 4, 2, 0, 0, hello.len() as u8];
    record.extend(hello);
    record
}

#[tokio::test]
async fn s30_tls_1_1_and_what_is_no_tls_are_refused() {
    let plain = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    // An alert: the server has found no version that it knows.
    let alert = vec![21, 3, 1, 0, 2, 2, 70];
    for said in [server_hello(2), server_hello(1), server_hello(0), plain, alert] {
        let listener = listen().await;
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = vec![0; 65536];
            let hello = stream.read(&mut heard).await.unwrap();
            stream.write_all(&said).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            heard.truncate(hello);
            [heard, rest].concat()
        });
        let error = refused(&Network::default(), &url, &Route::default()).await;
        is_for_the_user(&error, &["localhost does not speak TLS as it must", "TLS 1.2 or later", "check the port"]);
        assert!(!String::from_utf8_lossy(&peer.await.unwrap()).contains(BEARER));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_its_handshake_is_no_setting_to_mend() {
    let ca = Authority::new("ours");
    let (acceptor, file, listener) = (ca.certify(HERE).acceptor(), ca.file(), listen().await);
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        stream.read_u8().await.unwrap();
        let (tcp, _) = stream.get_mut();
        tcp.write_all(b"no record of TLS at all").await.unwrap();
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    });
    let error = refused(&Network::default(), &url, &trusting(file.path())).await;
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}
