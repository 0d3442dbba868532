//! The session policy that narrows what is given: the statements of `s3-credentials` 0.17 for one bucket, then the
//! config's own, in compact JSON.

use crate::error::Error;
use crate::settings::Settings;
use serde_json::{Value, json};

/// What STS takes in its Policy parameter, in characters.
const MAX_POLICY: usize = 2048;

/// The policy for the settings' bucket, prefix, access and statements; None without bucket and statements, where the
/// role alone decides.
pub(super) fn session_policy(settings: &Settings) -> Result<Option<String>, Error> {
    let mut statements = of_bucket(settings)?;
    for (index, text) in settings.list("statements").iter().enumerate() {
        let refuse = |why| settings.refuse("statements", format!("statement {} {why}", index + 1), STATEMENT);
        statements.push(read(text).map_err(refuse)?);
    }
    if statements.is_empty() {
        return Ok(None);
    }
    // Compact: Ceph does not decode a `+` for a space.
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    if policy.chars().count() > MAX_POLICY {
        let message = format!("the session policy has {} characters, STS takes {MAX_POLICY}", policy.chars().count());
        let own = !settings.list("statements").is_empty();
        let (key, fix) =
            if own { ("statements", "shorten or leave out statements") } else { ("prefix", "shorten prefix") };
        return Err(settings.refuse(key, message, fix));
    }
    Ok(Some(policy))
}

/// A statement of the config's; else what is wrong with it. Its text is not repeated.
fn read(text: &str) -> Result<Value, String> {
    let statement: Value = serde_json::from_str(text)
        .map_err(|error| format!("is not JSON ({:?} error at column {})", error.classify(), error.column()))?;
    let Some(members) = statement.as_object() else { return Err("is not a JSON object".into()) };
    if let Some(missing) = ["Effect", "Action", "Resource"].iter().find(|name| !members.contains_key(**name)) {
        return Err(format!("has no {missing}"));
    }
    match members["Effect"].as_str() {
        Some("Allow" | "Deny") => Ok(statement),
        _ => Err("has an Effect that is neither Allow nor Deny".into()),
    }
}

const STATEMENT: &str = r#"write it as {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::BUCKET/*"}"#;

fn of_bucket(settings: &Settings) -> Result<Vec<Value>, Error> {
    let (prefix, access) = (settings.text("prefix"), settings.text("access"));
    let Some(bucket) = settings.text("bucket") else {
        return match [("prefix", prefix), ("access", access)].into_iter().find(|(_, value)| value.is_some()) {
            None => Ok(Vec::new()),
            Some((key, _)) => {
                Err(settings.refuse(key, format!("{key} means nothing without a bucket"), "add bucket = \"..\""))
            }
        };
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(plain) {
        let fix = "write the name alone: 3 to 63 of a-z 0-9 . -";
        return Err(settings.refuse("bucket", "bucket is not a bucket's name", fix));
    }
    let prefix = prefix.unwrap_or_default();
    // `${` begins a variable, which IAM fills in.
    if prefix.contains(['*', '?']) || prefix.contains("${") {
        return Err(settings.refuse(
            "prefix",
            "a prefix has no wildcards: it matches all keys that begin with it",
            "leave out * ? ${",
        ));
    }
    Ok(bucket_statements(bucket, prefix, access.unwrap_or("read-write")))
}

const READ: [&str; 5] =
    ["s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectTagging"];

fn bucket_statements(bucket: &str, prefix: &str, access: &str) -> Vec<Value> {
    let whole = format!("arn:aws:s3:::{bucket}");
    let objects = format!("{whole}/{prefix}*");
    let allow =
        |actions: &[&str], resource: &str| json!({ "Effect": "Allow", "Action": actions, "Resource": [resource] });
    if access == "write-only" {
        return vec![allow(&["s3:PutObject"], &objects)];
    }
    let mut statements = if prefix.is_empty() {
        vec![allow(&["s3:ListBucket", "s3:GetBucketLocation"], &whole)]
    } else {
        let mut list = allow(&["s3:ListBucket"], &whole);
        list["Condition"] = json!({ "StringLike": { "s3:prefix": [format!("{prefix}*")] } });
        vec![allow(&["s3:GetBucketLocation"], &whole), list]
    };
    statements.push(allow(&READ, &objects));
    if access == "read-write" {
        statements.push(allow(&["s3:PutObject", "s3:DeleteObject"], &objects));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    fn policy(values: &[(&str, &str)]) -> Result<Option<Value>, Error> {
        Ok(session_policy(&settings(values))?.map(|text| serde_json::from_str(&text).unwrap()))
    }

    fn statements(values: &[(&str, &str)]) -> Value {
        let policy = policy(values).unwrap().unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
        assert_eq!(policy.as_object().unwrap().len(), 2);
        policy["Statement"].clone()
    }

    const BUCKET: (&str, &str) = ("bucket", "my-bucket");
    const OTHER: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}"#;

    /// What `s3-credentials policy my-bucket` prints, with these options.
    fn upstream(prefix: &str, access: &str) -> Value {
        let objects = format!("arn:aws:s3:::my-bucket/{prefix}*");
        let read = json!({ "Effect": "Allow", "Resource": [objects], "Action": [
            "s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectTagging"] });
        let write = json!({ "Effect": "Allow", "Action": ["s3:PutObject", "s3:DeleteObject"], "Resource": [objects] });
        let whole = ["arn:aws:s3:::my-bucket"];
        let mut all = if prefix.is_empty() {
            vec![json!({ "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": whole })]
        } else {
            let only = json!({ "StringLike": { "s3:prefix": [format!("{prefix}*")] } });
            vec![
                json!({ "Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": whole }),
                json!({ "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": whole, "Condition": only }),
            ]
        };
        match access {
            "read-only" => all.push(read),
            "read-write" => all.extend([read, write]),
            _ => all = vec![json!({ "Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [objects] })],
        }
        Value::Array(all)
    }

    #[test]
    fn a_bucket_has_the_statements_of_s3_credentials_with_and_without_a_prefix() {
        for access in ["read-only", "read-write", "write-only"] {
            assert_eq!(statements(&[BUCKET, ("access", access)]), upstream("", access), "{access}");
            let narrowed = [BUCKET, ("access", access), ("prefix", "up+l o$ads/")];
            assert_eq!(statements(&narrowed), upstream("up+l o$ads/", access), "{access}");
        }
        assert_eq!(statements(&[BUCKET]), upstream("", "read-write"), "where nothing is said");
    }

    #[test]
    fn statements_of_the_configs_own_come_after_the_buckets_or_stand_alone() {
        let (other, deny) =
            (serde_json::from_str::<Value>(OTHER).unwrap(), r#"{"Effect":"Deny","Action":["s3:*"],"Resource":"*"}"#);
        let alone = statements(&[("statements", OTHER), ("statements", deny)]);
        assert_eq!(alone, json!([other, serde_json::from_str::<Value>(deny).unwrap()]));
        let both = statements(&[BUCKET, ("access", "write-only"), ("statements", OTHER)]);
        assert_eq!(both, json!([upstream("", "write-only")[0], other]));
    }

    #[test]
    fn a_statement_that_is_none_is_named_by_its_place_and_never_repeated() {
        for (bad, why) in [
            ("hunter2", "statement 2 is not JSON (Syntax error at column 1)"),
            (r#""hunter2""#, "statement 2 is not a JSON object"),
            (r#"[{"Effect":"Allow"}]"#, "statement 2 is not a JSON object"),
            (r#"{"Action":"hunter2","Resource":"*"}"#, "statement 2 has no Effect"),
            (r#"{"Effect":"Allow","NotAction":"hunter2","Resource":"*"}"#, "statement 2 has no Action"),
            (r#"{"Effect":"Allow","Action":"hunter2"}"#, "statement 2 has no Resource"),
            (r#"{"Effect":"hunter2","Action":"s3:*","Resource":"*"}"#, "neither Allow nor Deny"),
        ] {
            let error = policy(&[("statements", OTHER), ("statements", bad)]).unwrap_err();
            assert!(error.text().contains(why) && error.text().contains("(/c:7)"), "{bad}: {}", error.text());
            assert!(!error.text().contains("hunter2"), "{}", error.text());
        }
    }

    #[test]
    fn without_a_bucket_there_is_no_policy_and_nothing_to_narrow() {
        assert_eq!(policy(&[]).unwrap(), None);
        assert!(policy(&[("access", "read-only")]).is_err());
        assert!(policy(&[("prefix", "x/"), ("statements", OTHER)]).is_err());
    }

    #[test]
    fn what_could_widen_the_policy_is_refused() {
        for bad in ["a*", "a?", "${aws:username}/", "*"] {
            assert!(policy(&[BUCKET, ("prefix", bad)]).is_err(), "{bad}");
        }
        for bad in ["b/*", "my-bucket*", "my?bucket", "${aws:username}", "my-bucket/x", "a"] {
            assert!(policy(&[("bucket", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_policy_of_2048_characters_is_the_longest() {
        let resource = |length: usize| OTHER.replace("other", &"ö".repeat(length));
        let length =
            |text: &str| session_policy(&settings(&[("statements", text)])).map(|p| p.unwrap().chars().count());
        let empty = length(&resource(0)).unwrap();
        assert_eq!(length(&resource(2048 - empty)), Ok(2048));
        let error = length(&resource(2049 - empty)).unwrap_err();
        assert!(error.text().contains("2049 characters") && error.hint().contains("statements"), "{}", error.text());
        let long = policy(&[BUCKET, ("prefix", &"x".repeat(1000))]).unwrap_err();
        assert!(long.hint().contains("shorten prefix"), "{}", long.text());
    }
}
