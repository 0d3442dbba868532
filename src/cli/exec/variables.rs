//! What the program's environment has of AWS: nothing that would win over us, and where its keys are.

use super::place::Place;
use crate::error::Error;
use crate::export::Export;
use crate::ports::Lookup;
use std::ffi::OsString;

/// Changes of an environment: a name, and its value or nothing.
pub(super) type Changes = Vec<(&'static str, Option<OsString>)>;

/// What SDKs and programs look at before a container's endpoint, or in place of it.
const TAKEN_OUT: [&str; 18] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    // Older SDKs.
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    // GDAL: requests without a signature.
    "AWS_NO_SIGN_REQUEST",
    // s3fs-fuse.
    "AWSACCESSKEYID",
    "AWSSECRETACCESSKEY",
    "AWSSESSIONTOKEN",
];

/// For a program that asks us for its keys, at `url`. `variable` says how the environment is.
pub(super) fn served(export: &Export, url: &str, place: &Place, variable: Lookup<'_>) -> Result<Changes, Error> {
    let mut changes = whereabouts(export, variable)?;
    changes.extend([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Some(url.into())),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Some(place.token_file().into())),
        ("AWS_CONFIG_FILE", Some(place.config_file().into())),
    ]);
    // GDAL and obstore ask even the loopback by a proxy: it would see our token, and no key would come.
    for name in ["NO_PROXY", "no_proxy"] {
        changes.push((name, Some(sparing_us(variable(name)).into())));
    }
    Ok(changes)
}

/// The hosts that are asked without a proxy, us among them.
fn sparing_us(hosts: Option<String>) -> String {
    const OURS: &str = "127.0.0.1,localhost";
    match hosts {
        None => OURS.to_owned(),
        Some(hosts) if hosts == "*" => hosts,
        Some(hosts) => format!("{hosts},{OURS}"),
    }
}

/// For one that gets them here, and none after.
pub(super) fn fixed(export: &Export, variable: Lookup<'_>) -> Result<Changes, Error> {
    let mut changes = whereabouts(export, variable)?;
    changes.extend([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", None),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", None),
        ("AWS_CONFIG_FILE", Some("/dev/null".into())),
    ]);
    changes.extend(export.variables()?.into_iter().map(|(name, value)| (name, Some(value.into()))));
    Ok(changes)
}

fn whereabouts(export: &Export, variable: Lookup<'_>) -> Result<Changes, Error> {
    let left = export.left_over(variable)?;
    // With it an SDK passes over the S3 that we name.
    let ignoring = export.endpoint.is_some().then_some("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    let mut changes: Changes = TAKEN_OUT.iter().copied().chain(left).chain(ignoring).map(|name| (name, None)).collect();
    // Keys of a [default] profile would win over a container's endpoint. GDAL has a variable of its own for that file.
    changes.extend(
        ["AWS_SHARED_CREDENTIALS_FILE", "CPL_AWS_CREDENTIALS_FILE"].map(|name| (name, Some("/dev/null".into()))),
    );
    changes.extend(export.whereabouts()?.into_iter().map(|(name, value)| (name, Some(value.into()))));
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::export;

    fn last(changes: &Changes, name: &str) -> Option<Option<OsString>> {
        changes.iter().rfind(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn every_variable_that_gives_keys_is_taken_out_and_in_the_fixed_form_set() {
        let none: Lookup<'_> = &|_| None;
        let fixed = fixed(&export(None), none).unwrap();
        assert_eq!(last(&fixed, "AWS_ACCESS_KEY_ID"), Some(Some("ASIAEXAMPLE".into())));
        assert_eq!(last(&fixed, "AWS_PROFILE"), Some(None));
        assert_eq!(last(&fixed, "AWS_REGION"), Some(Some("us-west-2".into())));
        let keys = export(None).variables().unwrap();
        let secrets = keys.iter().filter(|(name, _)| !name.ends_with("REGION"));
        assert!(secrets.map(|(name, _)| name).all(|name| TAKEN_OUT.contains(name)));
    }

    #[test]
    fn an_s3_that_an_export_left_goes_and_one_that_a_user_set_stays() {
        let left = |name: &str| match name {
            "S3_ENDPOINT_URL" | "AWS_ENDPOINT_URL_S3" => Some("https://s3.lab".to_owned()),
            "AWS_VIRTUAL_HOSTING" => Some("FALSE".to_owned()),
            _ => None,
        };
        let own = |name: &str| (name == "AWS_ENDPOINT_URL_S3").then(|| "https://vpce.example".to_owned());
        assert_eq!(last(&whereabouts(&export(None), &left).unwrap(), "AWS_ENDPOINT_URL_S3"), Some(None));
        assert_eq!(last(&whereabouts(&export(None), &own).unwrap(), "AWS_ENDPOINT_URL_S3"), None);
        let named = whereabouts(&export(Some("https://s3.other")), &own).unwrap();
        assert_eq!(last(&named, "AWS_ENDPOINT_URL_S3"), Some(Some("https://s3.other".into())));
        assert_eq!(last(&named, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), Some(None));
    }

    #[test]
    fn s31_no_proxy_stands_between_the_program_and_us() {
        assert_eq!(sparing_us(None), "127.0.0.1,localhost");
        assert_eq!(sparing_us(Some(".corp".into())), ".corp,127.0.0.1,localhost");
        assert_eq!(sparing_us(Some("*".into())), "*");
    }
}
