//! The environment variables by which programs find keys, region and S3: see which program reads which below.

use super::Export;
use crate::credentials::written;
use crate::error::Error;
use url::Url;

/// A name and its value.
pub type Variable = (&'static str, String);

/// The three that are secrets, and until when they are good.
const KEYS: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"];

/// Every variable that an export may set.
pub const ALL_NAMES: [&str; 14] = [
    KEYS[0],
    KEYS[1],
    KEYS[2],
    KEYS[3],
    // The SDKs read the one, the AWS CLI and boto3 the other.
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    // SDKs of 2023 and later. Without the next two Ceph 16 refuses what they send since 2025.
    "AWS_ENDPOINT_URL_S3",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_CA_BUNDLE",
    // GDAL.
    "AWS_S3_ENDPOINT",
    "AWS_HTTPS",
    "AWS_VIRTUAL_HOSTING",
    // s5cmd.
    "S3_ENDPOINT_URL",
];

/// Those by which keys are given away: what must not be there where others are to win.
pub fn names_of_keys() -> &'static [&'static str] {
    &KEYS
}

impl Export {
    /// All that apply. An error where a value could break a line of a shell.
    pub fn variables(&self) -> Result<Vec<Variable>, Error> {
        let credentials = &self.credentials;
        let mut variables = vec![
            (KEYS[0], credentials.access_key_id.clone()),
            (KEYS[1], credentials.secret_access_key.expose().to_owned()),
            (KEYS[2], credentials.session_token.expose().to_owned()),
            (KEYS[3], written(credentials.expiration)),
        ];
        variables.extend(self.whereabouts()?);
        Ok(variables)
    }

    /// Those that are no secrets: where the S3 is, and how it is talked to.
    pub fn whereabouts(&self) -> Result<Vec<Variable>, Error> {
        let region = || self.region.clone();
        let mut variables = vec![("AWS_REGION", region()), ("AWS_DEFAULT_REGION", region())];
        if let Some(endpoint) = &self.endpoint {
            let url = Url::parse(endpoint).ok().filter(Url::has_host).ok_or_else(|| self.odd("endpoint"))?;
            let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
            variables.extend([
                ("AWS_ENDPOINT_URL_S3", endpoint.clone()),
                ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required".to_owned()),
                ("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required".to_owned()),
                ("AWS_S3_ENDPOINT", authority.to_owned()),
                ("AWS_HTTPS", if url.scheme() == "https" { "YES" } else { "NO" }.to_owned()),
                ("AWS_VIRTUAL_HOSTING", "FALSE".to_owned()),
                ("S3_ENDPOINT_URL", endpoint.clone()),
            ]);
        }
        if let Some(file) = &self.ca_file {
            variables.push(("AWS_CA_BUNDLE", file.to_string_lossy().into_owned()));
        }
        match variables.iter().find(|(_, value)| value.chars().any(char::is_control)) {
            Some((name, _)) => Err(self.odd(name)),
            None => Ok(variables),
        }
    }

    fn odd(&self, what: &str) -> Error {
        let message =
            format!("the {what} of {} cannot be written: it is no URL, or holds control characters", self.profile);
        Error::configuration(message, format!("set it for profile {} in the config", self.profile))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::export;
    use super::*;

    #[test]
    fn aws_itself_needs_keys_and_a_region_alone() {
        let names: Vec<&str> = export(None).variables().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ALL_NAMES[..6]);
    }

    #[test]
    fn another_s3_is_named_for_sdks_gdal_and_s5cmd() {
        for (endpoint, host, https) in [
            ("http://rgw-vip.nmn", "rgw-vip.nmn", "NO"),
            ("https://[fd00::1]:8443", "[fd00::1]:8443", "YES"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000", "NO"),
        ] {
            let variables = Export { ca_file: Some("/ca.pem".into()), ..export(Some(endpoint)) }.variables().unwrap();
            let value = |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
            assert_eq!(value("AWS_ENDPOINT_URL_S3"), Some(endpoint));
            assert_eq!((value("AWS_S3_ENDPOINT"), value("AWS_HTTPS")), (Some(host), Some(https)));
            assert_eq!(value("AWS_CA_BUNDLE"), Some("/ca.pem"));
            assert!(variables.iter().all(|(name, _)| ALL_NAMES.contains(name)), "clearing forgets none");
            assert_eq!(variables.len(), ALL_NAMES.len());
        }
    }

    #[test]
    fn s48_a_value_with_a_control_character_is_refused() {
        for bad in ["http://x.org/\nexport A=1", "not a url", "http://"] {
            assert!(export(Some(bad)).variables().is_err(), "{bad:?}");
        }
        assert!(Export { region: "us\x1b-east-1".into(), ..export(None) }.variables().is_err());
    }
}
