//! A signed request to a service whose SDK is not worth its size: one call, one answer, no retry.

use super::{LIMIT, SigningClock};
use crate::error::Error;
use crate::ports::{Http, Request, Response, Route, SendError};
use crate::secret::Secret;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::time::TimeSource;
use std::sync::Arc;
use url::Url;

/// Who signs, by which clock, and the way there.
#[derive(Debug, Clone)]
pub struct Signer {
    pub keys: Credentials,
    pub region: String,
    pub clock: SigningClock,
    pub http: Arc<dyn Http>,
    pub route: Route,
}

impl Signer {
    /// A request of `service`; a form is sent by POST.
    pub async fn send(
        &self,
        service: &str,
        method: &'static str,
        url: &Url,
        form: Option<&[(&str, &str)]>,
    ) -> Result<Result<Response, SendError>, Error> {
        let unsigned = |_| Error::protocol(format!("a request to {service} could not be signed"));
        let body = form.map(|pairs| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish());
        let kind = body.as_ref().map(|_| ("content-type", "application/x-www-form-urlencoded"));
        let mut settings = SigningSettings::default();
        // S3 signs the path as it is sent, and wants to be told what the body is.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = self.keys.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service)
            .time(self.clock.now())
            .settings(settings)
            .build()
            .map_err(|_| unsigned(()))?
            .into();
        let bytes = SignableBody::Bytes(body.as_deref().unwrap_or_default().as_bytes());
        let signable = SignableRequest::new(method, url.as_str(), kind.into_iter(), bytes).map_err(|_| unsigned(()))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|_| unsigned(()))?.into_parts();
        let signed = instructions.headers().chain(kind);
        let headers = signed.map(|(name, value)| (name.to_owned(), Secret::new(value))).collect();
        let (url, body, route) = (url.clone(), body.map(Secret::new), self.route.clone());
        Ok(self.http.send(Request { method, url, headers, body, limit: LIMIT, route }).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Later;
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Taken(Mutex<Option<Request>>);

    impl Http for Taken {
        fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
            *self.0.lock().unwrap() = Some(request);
            Box::pin(std::future::ready(Ok(Response { status: 200, headers: Vec::new(), body: Secret::new("") })))
        }
    }

    #[tokio::test]
    async fn a_form_is_signed_with_its_kind_and_what_is_sent_is_what_was_signed() {
        let taken = Arc::new(Taken::default());
        let signer = Signer {
            keys: Credentials::new("AKIA", "secret-marker", Some("session".into()), None, "test"),
            region: "us-east-1".into(),
            clock: SigningClock::default(),
            http: taken.clone(),
            route: Route::default(),
        };
        let url = "https://iam.amazonaws.com/".parse().unwrap();
        let form = [("Action", "GetRole"), ("RoleName", "a b&c")];
        signer.send("iam", "POST", &url, Some(&form)).await.unwrap().unwrap();
        let sent = taken.0.lock().unwrap().take().unwrap();
        let header = |name: &str| sent.headers.iter().find(|(known, _)| known == name).unwrap().1.expose().to_owned();
        assert_eq!(sent.body.as_ref().unwrap().expose(), "Action=GetRole&RoleName=a+b%26c");
        let authorization = header("authorization");
        assert!(authorization.contains("/us-east-1/iam/aws4_request"), "{authorization}");
        assert!(authorization.contains("content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token"));
        assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
        assert!(!format!("{sent:?}").contains("secret-marker"));
    }
}
