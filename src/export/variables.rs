//! The environment variables by which programs find keys, region and S3: see which program reads which below.

use super::Export;
use crate::credentials::written;
use crate::error::Error;
use crate::ports::Lookup;
use url::Url;

/// A name and its value.
pub type Variable = (&'static str, String);

/// The three that are secrets, and until when they are good.
const KEYS: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"];

/// The SDKs read the one, the AWS CLI and boto3 the other.
const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Those that say where an S3 is that is not AWS', and how it is talked to.
const OF_ANOTHER_S3: [&str; 8] = [
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

/// Every variable that an export may have set, but for those that are there and can be seen to be the user's own.
pub fn to_clear(variable: Lookup<'_>) -> Vec<&'static str> {
    let others = |names: &[&'static str], ours: bool| {
        names.iter().copied().filter(|name| ours || variable(name).is_none()).collect::<Vec<_>>()
    };
    let mut names = KEYS.to_vec();
    names.extend(others(&REGION, variable(KEYS[3]).is_some()));
    names.extend(others(&OF_ANOTHER_S3, has_an_exports_s3(variable)));
    names
}

/// Whether an export has set an S3 here: nobody else sets all of these to the same.
fn has_an_exports_s3(variable: Lookup<'_>) -> bool {
    let s3 = variable("S3_ENDPOINT_URL");
    s3.is_some() && s3 == variable("AWS_ENDPOINT_URL_S3") && variable("AWS_VIRTUAL_HOSTING").as_deref() == Some("FALSE")
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
        let mut variables: Vec<Variable> = REGION.iter().map(|name| (*name, self.region.clone())).collect();
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

    /// What an earlier export for another S3 has left there and this one does not set: these keys would be sent to that S3.
    pub fn left_over(&self, variable: Lookup<'_>) -> Result<Vec<&'static str>, Error> {
        if !has_an_exports_s3(variable) {
            return Ok(Vec::new());
        }
        let own = self.whereabouts()?;
        let left = |name: &&str| variable(name).is_some() && !own.iter().any(|(set, _)| set == name);
        Ok(OF_ANOTHER_S3.into_iter().filter(left).collect())
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
        assert_eq!(names, [&KEYS[..], &REGION].concat());
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
            let all = to_clear(&|_| None);
            assert!(variables.iter().all(|(name, _)| all.contains(name)), "clearing forgets none");
            assert_eq!(variables.len(), all.len());
        }
    }

    /// An environment with these variables.
    fn with(variables: &[(&'static str, String)]) -> impl Fn(&str) -> Option<String> {
        let variables = variables.to_vec();
        move |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn what_an_export_for_another_s3_left_is_taken_out_and_what_a_user_set_is_not() {
        let lab = export(Some("https://s3.lab")).variables().unwrap();
        let left = export(None).left_over(&with(&lab)).unwrap();
        assert!(left.contains(&"AWS_ENDPOINT_URL_S3") && left.contains(&"AWS_HTTPS"), "{left:?}");
        assert!(!left.contains(&"AWS_CA_BUNDLE"), "it was not set: {left:?}");
        assert_eq!(export(Some("https://s3.other")).left_over(&with(&lab)).unwrap(), [""; 0], "all are set anew");
        let own = [("AWS_ENDPOINT_URL_S3", "https://vpce.example".to_owned()), ("AWS_CA_BUNDLE", "/site.pem".into())];
        assert_eq!(export(None).left_over(&with(&own)).unwrap(), [""; 0]);
    }

    #[test]
    fn clearing_leaves_what_is_there_and_was_the_users_before() {
        let own = [("AWS_CA_BUNDLE", "/site.pem".to_owned()), ("AWS_REGION", "eu-west-1".to_owned())];
        let cleared = to_clear(&with(&own));
        assert!(!cleared.contains(&"AWS_CA_BUNDLE") && !cleared.contains(&"AWS_REGION"), "{cleared:?}");
        assert!(cleared.contains(&"AWS_ACCESS_KEY_ID"));
        let lab = export(Some("https://s3.lab")).variables().unwrap();
        let cleared = to_clear(&with(&lab));
        assert!(lab.iter().all(|(name, _)| cleared.contains(name)), "{cleared:?}");
    }

    #[test]
    fn s48_a_value_with_a_control_character_is_refused() {
        for bad in ["http://x.org/\nexport A=1", "not a url", "http://"] {
            assert!(export(Some(bad)).variables().is_err(), "{bad:?}");
        }
        assert!(Export { region: "us\x1b-east-1".into(), ..export(None) }.variables().is_err());
    }
}
