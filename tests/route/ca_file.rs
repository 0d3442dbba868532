//! The CA file: every way of being wrong is named with its file before anything is sent; a change holds at once.

use super::ca::{Authority, file, private_key};
use super::front::Front;
use super::{ask, is_for_the_user, refused, trusting};
use crate::common::{chmod, is_root};
use std::path::Path;
use valetkey::system::http::Network;

/// Refused in these words, and nobody is connected to.
async fn broken(path: &Path, words: &[&str]) {
    let front = Front::start(Some(Authority::new("ours").certify(&["localhost"]))).await;
    let error = refused(&Network::default(), &front.url("localhost"), &trusting(path)).await;
    is_for_the_user(&error, words);
    is_for_the_user(&error, &[&path.display().to_string(), "hint: "]);
    assert_eq!(front.heard().connections, 0, "nothing was sent");
}

#[tokio::test]
async fn one_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let fix = "set ca_file to a PEM file with the issuer's CA";
    broken(&home.path().join("missing.pem"), &["cannot read ca_file", "No such file", fix]).await;
    broken(home.path(), &["is no regular file", fix]).await;
    let looped = home.path().join("loop.pem");
    std::os::unix::fs::symlink(&looped, &looped).unwrap();
    broken(&looped, &["cannot read ca_file", fix]).await;
    let fifo = home.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    broken(&fifo, &["is no regular file", fix]).await;
    if !is_root() {
        let closed = Authority::new("ours").file();
        chmod(closed.path(), 0);
        broken(closed.path(), &["Permission denied", fix]).await;
    }
}

#[tokio::test]
async fn one_that_holds_no_certificate_is_named() {
    let fix = "set ca_file to a PEM file with the issuer's CA";
    broken(file("").path(), &["is empty", fix]).await;
    broken(file("hello\n").path(), &["holds no certificate in PEM", fix]).await;
    broken(file(private_key()).path(), &["holds no certificate in PEM", fix]).await;
    broken(file([0x30, 0x82, 1, 2, 3]).path(), &["holds no certificate in PEM", "openssl x509 -inform der"]).await;
    let endless = file("");
    endless.as_file().set_len(4 * 1024 * 1024 + 1).unwrap();
    broken(endless.path(), &["is larger than 4 MiB", fix]).await;
}

#[tokio::test]
async fn one_broken_certificate_among_good_ones_is_named_by_its_number() {
    let (first, last) = (Authority::new("first").pem(), Authority::new("last").pem());
    let lines: Vec<&str> = first.lines().collect();
    let cut = lines[..3].join("\n") + "\n";
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let no_der = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    for bad in [no_base64, no_der] {
        broken(file(format!("{first}{bad}{last}")).path(), &["certificate 2", "is broken", "openssl storeutl"]).await;
    }
    broken(file(format!("{first}{cut}")).path(), &["certificate 2", "is broken"]).await;
    // The reader passes over what does not begin at a line's start.
    broken(file(format!("{first}  {last}")).path(), &["certificate 2", "2 begin, 1 can be read"]).await;
    broken(file(format!("\u{feff}{first}{last}")).path(), &["2 begin, 1 can be read"]).await;
}

#[tokio::test]
async fn all_certificates_of_a_file_are_trusted_whatever_stands_around_them() {
    let all = ["a", "b", "c"].map(Authority::new);
    let together =
        format!("# platform CAs\n{}{}\nsubject: b\n{}{}", all[0].pem(), private_key(), all[1].pem(), all[2].pem());
    for text in [together.replace('\n', "\r\n"), together.trim_end().to_owned(), together] {
        let (file, network) = (file(text), Network::default());
        for authority in &all {
            let front = Front::start(Some(authority.certify(&["localhost"]))).await;
            let answer = ask(&network, &front.url("localhost"), &trusting(file.path())).await;
            assert_eq!(answer.map(|answer| answer.status), Ok(200));
        }
    }
}

#[tokio::test]
async fn a_renewed_ca_holds_at_once_and_the_old_one_no_more() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let before = Front::start(Some(old.certify(&["localhost"]))).await;
    let after = Front::start(Some(new.certify(&["localhost"]))).await;
    let (file, network) = (old.file(), Network::default());
    let route = trusting(file.path());
    assert!(ask(&network, &before.url("localhost"), &route).await.is_ok());
    let connections = before.heard().connections;
    assert!(ask(&network, &before.url("localhost"), &route).await.is_ok());
    assert_eq!(before.heard().connections, connections, "the same client: its connection is used again");

    // In place, as long as it was.
    let text = new.pem();
    std::fs::write(file.path(), &text).unwrap();
    assert!(ask(&network, &after.url("localhost"), &route).await.is_ok());
    is_for_the_user(&refused(&network, &before.url("localhost"), &route).await, &["unknown issuer"]);
    // By another file.
    let renamed = old.file();
    std::fs::rename(renamed.path(), file.path()).unwrap();
    assert!(ask(&network, &before.url("localhost"), &route).await.is_ok());
    // Taken away: no pooled connection is used on its strength.
    std::fs::remove_file(file.path()).unwrap();
    let heard = before.heard();
    is_for_the_user(
        &refused(&network, &before.url("localhost"), &route).await,
        &["cannot read ca_file", "No such file"],
    );
    assert_eq!((before.heard().connections, before.heard().inside.len()), (heard.connections, heard.inside.len()));
    std::fs::write(file.path(), old.pem()).unwrap();
    assert!(ask(&network, &before.url("localhost"), &route).await.is_ok());
}
