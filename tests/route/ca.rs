//! Certificate authorities of a test's own, and what they sign.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use std::io::Write;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and key.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn file(&self) -> tempfile::NamedTempFile {
        file(self.pem())
    }

    /// For these host names and addresses.
    pub(crate) fn certify(&self, names: &[&str]) -> Identity {
        self.certify_between(names, (2020, 2096))
    }

    /// Valid from one new year's day to another.
    pub(crate) fn certify_between(&self, names: &[&str], years: (i32, i32)) -> Identity {
        let (params, key) = (server(names, years), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.der().clone(), key }
    }
}

/// Signed by itself, as a CA or as none; and its PEM.
pub(crate) fn self_signed(names: &[&str], is_ca: bool) -> (Identity, String) {
    let (mut params, key) = (server(names, (2020, 2096)), KeyPair::generate().unwrap());
    params.is_ca = if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    let certificate = params.self_signed(&key).unwrap();
    (Identity { certificate: certificate.der().clone(), key }, certificate.pem())
}

pub(crate) fn private_key() -> String {
    KeyPair::generate().unwrap().serialize_pem()
}

pub(crate) fn file(content: impl AsRef<[u8]>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

fn server(names: &[&str], years: (i32, i32)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    params
}

impl Identity {
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![self.certificate.clone()], key).unwrap()))
    }
}
