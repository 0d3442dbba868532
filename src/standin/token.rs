//! Tokens in the shape of JWTs. Their signatures are noise: the stand-in knows its own tokens by heart.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(super) fn jwt(claims: &Value, signature: &[u8]) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()), encode(signature))
}

/// What a JWT says, whoever signed it; None where it is no JWT.
pub(super) fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (header, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let decode = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    decode(header).filter(Value::is_object)?;
    decode(payload).filter(|claims| claims.is_object() && parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_it_was_told() {
        let told = json!({"uid": "ada", "exp": 5});
        assert_eq!(claims(&jwt(&told, b"any")), Some(told));
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
        for token in ["", "opaque", "a.b.c", "e30.e30", "e30.e30.x.y", "MQ.e30.x"] {
            assert_eq!(claims(token), None, "{token}");
        }
    }
}
