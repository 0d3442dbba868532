//! The session policy that narrows a role to one bucket: the same as `s3-credentials` writes, in compact JSON.

use crate::error::Error;
use crate::settings::Settings;
use serde_json::{Value, json};

/// What STS takes in its Policy parameter, in characters.
const MAX_POLICY: usize = 2048;

/// The policy for the settings' bucket, prefix and access; None without a bucket, where the role alone decides.
pub(super) fn session_policy(settings: &Settings) -> Result<Option<String>, Error> {
    let (prefix, access) = (settings.text("prefix"), settings.text("access"));
    let Some(bucket) = settings.text("bucket") else {
        return match [("prefix", prefix), ("access", access)].into_iter().find(|(_, value)| value.is_some()) {
            None => Ok(None),
            Some((key, _)) => {
                Err(settings.refuse(key, format!("{key} means nothing without a bucket"), "add bucket = \"..\""))
            }
        };
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        return Err(settings.refuse("bucket", "bucket is not a bucket's name", "write the name alone: a-z 0-9 . -"));
    }
    let prefix = prefix.unwrap_or_default();
    if prefix.contains(['*', '?', '$']) {
        return Err(settings.refuse(
            "prefix",
            "a prefix has no wildcards: it matches all keys that begin with it",
            "leave out * ? $",
        ));
    }
    let statements = statements(bucket, prefix, access.unwrap_or("read-write"));
    // Compact: Ceph does not decode a `+` for a space.
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    if policy.chars().count() > MAX_POLICY {
        let message = format!("the session policy has {} characters, STS takes {MAX_POLICY}", policy.chars().count());
        return Err(settings.refuse("prefix", message, "shorten prefix"));
    }
    Ok(Some(policy))
}

const READ: [&str; 5] =
    ["s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectTagging"];

fn statements(bucket: &str, prefix: &str, access: &str) -> Vec<Value> {
    let whole = format!("arn:aws:s3:::{bucket}");
    let objects = format!("{whole}/{prefix}*");
    let allow =
        |actions: Vec<&str>, resource: &str| json!({ "Effect": "Allow", "Action": actions, "Resource": [resource] });
    if access == "write-only" {
        return vec![allow(vec!["s3:PutObject"], &objects)];
    }
    let mut statements = if prefix.is_empty() {
        vec![allow(vec!["s3:ListBucket", "s3:GetBucketLocation"], &whole)]
    } else {
        let mut list = allow(vec!["s3:ListBucket"], &whole);
        list["Condition"] = json!({ "StringLike": { "s3:prefix": [format!("{prefix}*")] } });
        vec![allow(vec!["s3:GetBucketLocation"], &whole), list]
    };
    let mut actions = READ.to_vec();
    if access == "read-write" {
        actions.extend(["s3:PutObject", "s3:DeleteObject"]);
    }
    statements.push(allow(actions, &objects));
    statements
}

#[cfg(test)]
mod tests {
    use super::super::KIND;
    use super::*;
    use std::path::Path;

    fn policy(values: &[(&str, &str)]) -> Result<Option<Value>, Error> {
        let mut settings = Settings::new(Path::new("/c"), "profiles.x", None);
        for (name, value) in values {
            let key = KIND.keys.iter().find(|key| key.name == *name).unwrap();
            settings.insert(key, vec![(*value).to_owned()], None, Path::new("/")).unwrap();
        }
        Ok(session_policy(&settings)?.map(|text| serde_json::from_str(&text).unwrap()))
    }

    #[test]
    fn read_only_may_read_and_list_and_nothing_else() {
        let policy = policy(&[("bucket", "my-bucket"), ("access", "read-only")]).unwrap().unwrap().to_string();
        assert!(policy.contains("s3:GetObject") && policy.contains("s3:ListBucket"));
        assert!(!policy.contains("Put") && !policy.contains("Delete"));
        assert!(policy.contains("arn:aws:s3:::my-bucket/*"));
    }

    #[test]
    fn a_prefix_narrows_objects_and_listing() {
        let policy = policy(&[("bucket", "my-bucket"), ("prefix", "uploads/")]).unwrap().unwrap();
        assert_eq!(policy["Statement"][2]["Resource"][0], "arn:aws:s3:::my-bucket/uploads/*");
        assert_eq!(policy["Statement"][1]["Condition"]["StringLike"]["s3:prefix"][0], "uploads/*");
        assert!(policy["Statement"][2]["Action"].to_string().contains("DeleteObject"));
    }

    #[test]
    fn write_only_may_only_put() {
        let policy = policy(&[("bucket", "my-bucket"), ("access", "write-only")]).unwrap().unwrap();
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(policy["Statement"][0]["Action"], json!(["s3:PutObject"]));
    }

    #[test]
    fn without_a_bucket_there_is_no_policy_and_nothing_to_narrow() {
        assert_eq!(policy(&[]).unwrap(), None);
        assert!(policy(&[("access", "read-only")]).is_err());
        assert!(policy(&[("prefix", "x/")]).is_err());
    }

    #[test]
    fn what_could_widen_or_overflow_the_policy_is_refused() {
        for bad in [[("bucket", "my-bucket"), ("prefix", "a*")], [("bucket", "b/*"), ("prefix", "a")]] {
            assert!(policy(&bad).is_err(), "{bad:?}");
        }
        assert!(policy(&[("bucket", "my-bucket"), ("prefix", &"x".repeat(1000))]).is_err());
    }
}
