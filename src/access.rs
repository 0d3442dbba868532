//! What stands between a login and a provider: the access that one gives and the other needs.

use crate::secret::Secret;
use serde::{Deserialize, Serialize, Serializer};

/// What a login yields for one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    Bearer(#[serde(serialize_with = "Secret::serialize_exposed")] Secret),
    Basic {
        user: String,
        #[serde(serialize_with = "Secret::serialize_exposed")]
        password: Secret,
        /// Whose password it is: it goes to no other origin, whatever a profile says.
        origin: String,
    },
    AwsKeys {
        access_key_id: String,
        #[serde(serialize_with = "Secret::serialize_exposed")]
        secret_access_key: Secret,
        #[serde(serialize_with = "serialize_optional")]
        session_token: Option<Secret>,
    },
    WebIdentity(#[serde(serialize_with = "Secret::serialize_exposed")] Secret),
}

/// The form of access that a provider can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Bearer,
    Basic,
    AwsKeys,
    WebIdentity,
}

pub(crate) fn serialize_optional<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::expose).serialize(serializer)
}
