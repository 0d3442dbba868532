//! What the program's environment has of AWS: nothing that would win over us, and where its keys are.

use super::place::Place;
use crate::error::Error;
use crate::export::Export;
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

/// For a program that asks us for its keys, at `url`.
pub(super) fn served(export: &Export, url: &str, place: &Place) -> Result<Changes, Error> {
    let mut changes = whereabouts(export)?;
    changes.extend([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", Some(url.into())),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", Some(place.token_file().into())),
        ("AWS_CONFIG_FILE", Some(place.config_file().into())),
    ]);
    Ok(changes)
}

/// For one that gets them here, and none after.
pub(super) fn fixed(export: &Export) -> Result<Changes, Error> {
    let mut changes = whereabouts(export)?;
    changes.extend([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", None),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", None),
        ("AWS_CONFIG_FILE", Some("/dev/null".into())),
    ]);
    changes.extend(export.variables()?.into_iter().map(|(name, value)| (name, Some(value.into()))));
    Ok(changes)
}

fn whereabouts(export: &Export) -> Result<Changes, Error> {
    let mut changes: Changes = TAKEN_OUT.iter().map(|name| (*name, None)).collect();
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
    use crate::export::names_of_keys;
    use crate::export::tests::export;

    #[test]
    fn every_variable_that_gives_keys_is_taken_out_and_in_the_fixed_form_set() {
        assert!(names_of_keys().iter().all(|name| TAKEN_OUT.contains(name)));
        let last =
            |changes: &Changes, name: &str| changes.iter().rfind(|(known, _)| *known == name).cloned().unwrap().1;
        let fixed = fixed(&export(None)).unwrap();
        assert_eq!(last(&fixed, "AWS_ACCESS_KEY_ID"), Some("ASIAEXAMPLE".into()));
        assert_eq!(last(&fixed, "AWS_PROFILE"), None);
        assert_eq!(last(&fixed, "AWS_REGION"), Some("us-west-2".into()));
    }
}
