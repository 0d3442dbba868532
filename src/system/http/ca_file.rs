//! A CA file: the PEM that a route trusts besides the system's roots. All of its certificates hold, or none.

use crate::error::Error;
use crate::system::ownership;
use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::io::Read;
use std::path::Path;

const MAX: u64 = 4 * 1024 * 1024;
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const FIX: &str = "set ca_file to a PEM file with the issuer's CA";

/// What the file holds, 4 MiB at most.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Error> {
    let failed =
        |error: std::io::Error| Error::configuration(format!("cannot read ca_file {}: {error}", file.display()), FIX);
    let refused = |what: &str| Err(Error::configuration(format!("ca_file {} {what}", file.display()), FIX));
    let opened = ownership::open(file).map_err(failed)?;
    if !opened.meta.is_file() {
        return refused("is no regular file");
    }
    // Who can write to it can be the issuer.
    opened.only_ours(file)?;
    let mut pem = Vec::new();
    opened.file.take(MAX + 1).read_to_end(&mut pem).map_err(failed)?;
    match pem.len() as u64 {
        0 => refused("is empty"),
        length if length > MAX => refused("is larger than 4 MiB"),
        _ => Ok(pem),
    }
}

/// All certificates of a PEM file. One that is broken is an error: it might be the very one that is needed.
pub(super) fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<Certificate>, Error> {
    let file = file.display();
    let announced = pem.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
    if announced == 0 {
        let fix = match pem {
            // A SEQUENCE with a length of two bytes: a certificate that was not written as PEM.
            [0x30, 0x82, ..] => format!("it looks like DER: openssl x509 -inform der -in {file} -out FILE.pem"),
            _ => FIX.to_owned(),
        };
        return Err(Error::configuration(format!("ca_file {file} holds no certificate in PEM"), fix));
    }
    let broken = |which: usize, why: String| {
        let why = crate::error::printable(&why);
        Error::configuration(
            format!("certificate {which} in ca_file {file} is broken: {why}"),
            format!("mend or remove it; see: openssl storeutl -noout -text {file}"),
        )
    };
    let mut all = Vec::with_capacity(announced);
    for (i, der) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let der = der.map_err(|error| broken(i + 1, error.to_string()))?;
        // The client's maker would not say which one it was.
        RootCertStore::empty().add(der.clone()).map_err(|error| broken(i + 1, error.to_string()))?;
        all.push(Certificate::from_der(&der).map_err(|error| broken(i + 1, super::judge::innermost(&error)))?);
    }
    // A line that does not begin at its start is passed over by the reader.
    if all.len() < announced {
        return Err(broken(all.len() + 1, format!("{announced} begin, {} can be read", all.len())));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn s20_a_ca_file_that_others_could_write_or_exchange_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("ca.pem");
        std::fs::write(&file, "pem").unwrap();
        let chmod = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
        chmod(&file, 0o644);
        assert_eq!(read(&file).unwrap(), b"pem");
        chmod(&file, 0o646);
        assert_eq!(read(&file).unwrap_err().hint(), format!("chmod go-w {}", file.display()));
        chmod(&file, 0o644);
        chmod(home.path(), 0o757);
        assert_eq!(read(&file).unwrap_err().hint(), format!("chmod go-w {}", home.path().display()));
    }
}
