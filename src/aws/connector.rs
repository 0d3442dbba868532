//! The SDK's requests through our one HTTP port, whichever of its clients makes them. Keeps the raw answer: Ceph's errors
//! are lost on the SDK's reader.

use crate::ports::{Http, Request, Response, Route, SendError};
use crate::secret::Secret;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// An HTTP client for what the SDK does in one go.
#[derive(Debug, Clone)]
pub struct Connector {
    http: Arc<dyn Http>,
    route: Route,
    limit: Duration,
    seen: Seen,
}

/// What came back last, as it came, and when the request says that it was signed.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<Exchange>>);

#[derive(Debug, Default)]
struct Exchange {
    signed: Option<Timestamp>,
    outcome: Option<Result<Response, SendError>>,
}

impl Connector {
    pub fn new(http: Arc<dyn Http>, route: Route, limit: Duration) -> Connector {
        Connector { http, route, limit, seen: Seen::default() }
    }

    pub fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

impl Seen {
    pub fn take(&self) -> Option<Result<Response, SendError>> {
        self.exchange().outcome.take()
    }

    /// This machine's clock, as the request was signed by it; None for one that is not signed.
    pub fn signed(&self) -> Option<Timestamp> {
        self.exchange().signed
    }

    /// Seconds by which a refusal's Date is ahead of its request's signature.
    pub fn issuer_ahead(&self) -> Option<i64> {
        let exchange = self.exchange();
        let refused = |response: &&Response| (400..500).contains(&response.status);
        let date = exchange.outcome.as_ref()?.as_ref().ok().filter(refused)?.date()?;
        Some(date.as_second().saturating_sub(exchange.signed?.as_second()))
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            this.seen.exchange().signed = request.headers().get("x-amz-date").and_then(signing_time);
            let request = this.translate(&request)?;
            let outcome = this.http.send(request).await;
            this.seen.exchange().outcome = Some(outcome.clone());
            let response = outcome.map_err(|error| ConnectorError::other(format!("{error:?}").into(), None))?;
            let status =
                StatusCode::try_from(response.status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut translated = HttpResponse::new(status, SdkBody::from(response.body.expose()));
            for (name, value) in response.headers {
                // What is no header to the SDK is none that it looks for.
                let _ = translated.headers_mut().try_append(name, value);
            }
            Ok(translated)
        })
    }
}

impl Connector {
    /// Whoever asks an address that may not be there (an instance's) is in more of a hurry than we are.
    fn limit_within(&self, settings: &HttpConnectorSettings) -> Duration {
        let both = settings.connect_timeout().zip(settings.read_timeout()).map(|(connect, read)| connect + read);
        both.map_or(self.limit, |both| both.min(self.limit))
    }

    fn translate(&self, request: &HttpRequest) -> Result<Request, ConnectorError> {
        let method = METHODS.into_iter().find(|known| *known == request.method());
        let method = method.ok_or_else(|| ConnectorError::user("a method that no issuer is asked with".into()))?;
        let url = Url::parse(request.uri()).map_err(|error| ConnectorError::user(error.into()))?;
        let headers = request.headers().iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect();
        let body = request.body().bytes().map(|bytes| Secret::new(String::from_utf8_lossy(bytes)));
        Ok(Request { method, url, headers, body, limit: self.limit, route: self.route.clone() })
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { limit: self.limit_within(settings), ..self.clone() })
    }
}

fn signing_time(stamp: &str) -> Option<Timestamp> {
    Timestamp::strptime("%Y%m%dT%H%M%SZ%z", format!("{stamp}+0000")).ok()
}

/// STS is asked by POST, an instance by GET and PUT.
const METHODS: [&str; 3] = ["GET", "PUT", "POST"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Later;

    /// Answers with the method, the URL, a header and the body that it was sent.
    #[derive(Debug)]
    struct Mirror;

    impl Http for Mirror {
        fn send(&self, request: Request) -> Later<'_, Result<Response, SendError>> {
            let header = request.headers.iter().find(|(name, _)| name == "x-asked");
            let headers = vec![
                ("x-ttl".to_owned(), header.unwrap().1.expose().to_owned()),
                ("x-odd".to_owned(), "no\nheader".to_owned()),
            ];
            let body = request.body.unwrap();
            let body = Secret::new(format!("{} {} {}", request.method, request.url, body.expose()));
            Box::pin(std::future::ready(Ok(Response { status: 201, headers, body })))
        }
    }

    #[tokio::test]
    async fn a_request_of_the_sdk_arrives_as_it_is_and_so_does_the_answer() {
        for method in METHODS {
            let connector = Connector::new(Arc::new(Mirror), Route::default(), Duration::from_secs(1));
            let seen = connector.seen();
            let mut request = HttpRequest::new(SdkBody::from("b=1"));
            request.set_method(method).unwrap();
            request.set_uri("http://169.254.169.254/latest").unwrap();
            request.headers_mut().insert("x-asked", "21600");
            let answer = connector.call(request).await.unwrap();
            let body = format!("{method} http://169.254.169.254/latest b=1");
            assert_eq!(answer.body().bytes(), Some(body.as_bytes()));
            assert_eq!((answer.status().as_u16(), answer.headers().get("x-ttl")), (201, Some("21600")));
            assert_eq!(answer.headers().get("x-odd"), None);
            assert_eq!(seen.take().unwrap().unwrap().body.expose(), body);
        }
    }

    #[test]
    fn a_client_in_a_hurry_is_not_kept_waiting_for_as_long_as_we_would() {
        let (ours, second) = (Duration::from_secs(20), Duration::from_secs(1));
        let connector = Connector::new(Arc::new(Mirror), Route::default(), ours);
        let limit = |connect, read| {
            let settings = HttpConnectorSettings::builder().connect_timeout(connect).read_timeout(read).build();
            connector.limit_within(&settings)
        };
        assert_eq!(limit(second, second), 2 * second);
        assert_eq!(limit(ours, ours), ours);
        assert_eq!(connector.limit_within(&HttpConnectorSettings::builder().build()), ours);
    }

    #[tokio::test]
    async fn a_method_that_no_issuer_is_asked_with_is_not_sent() {
        let http = Arc::new(crate::ports::tests::NoHttp);
        let connector = Connector::new(http, Route::default(), Duration::from_secs(1));
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method("DELETE").unwrap();
        request.set_uri("http://127.0.0.1/").unwrap();
        assert!(connector.call(request).await.is_err());
    }
}
