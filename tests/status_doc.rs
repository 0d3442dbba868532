//! The page on `status --json` names every field that is there.

#![allow(clippy::unwrap_used)]

mod common;

use common::{credentials, signed_in};
use serde_json::Value;

fn names(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                found.push(name.clone());
                names(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_status_is_explained() {
    let page = std::fs::read_to_string("docs/status.md").unwrap();
    let (_issuer, place) = signed_in("keyring = \"file\"");
    let mut found = Vec::new();
    names(&place.status(), &mut found);
    credentials(&place.helper("podaac"));
    names(&place.status(), &mut found);
    assert!(found.len() > 40, "{found:?}");
    for name in found {
        assert!(page.contains(&format!("`{name}`")), "docs/status.md does not explain {name}");
    }
}
