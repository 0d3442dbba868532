//! The SDK's requests through our one HTTP client. Keeps the raw answer: Ceph's errors are lost on the SDK's reader.

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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// An HTTP client for one call of the SDK.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    http: Arc<dyn Http>,
    route: Route,
    limit: Duration,
    seen: Seen,
}

/// What came back, as it came.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Result<Response, SendError>>>>);

impl Connector {
    pub(super) fn new(http: Arc<dyn Http>, route: Route, limit: Duration) -> Connector {
        Connector { http, route, limit, seen: Seen::default() }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

impl Seen {
    pub(super) fn take(&self) -> Option<Result<Response, SendError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep(&self, outcome: &Result<Response, SendError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome.clone());
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let request = this.translate(&request)?;
            let outcome = this.http.send(request).await;
            this.seen.keep(&outcome);
            let response = outcome.map_err(|error| ConnectorError::other(format!("{error:?}").into(), None))?;
            let status =
                StatusCode::try_from(response.status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut translated = HttpResponse::new(status, SdkBody::from(response.body.expose()));
            if let Some(id) = response.header("x-amzn-requestid") {
                translated.headers_mut().insert("x-amzn-requestid", id.to_owned());
            }
            Ok(translated)
        })
    }
}

impl Connector {
    fn translate(&self, request: &HttpRequest) -> Result<Request, ConnectorError> {
        let url = Url::parse(request.uri()).map_err(|error| ConnectorError::user(error.into()))?;
        let headers = request.headers().iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect();
        let body = request.body().bytes().map(|bytes| Secret::new(String::from_utf8_lossy(bytes)));
        Ok(Request { method: "POST", url, headers, body, limit: self.limit, route: self.route.clone() })
    }
}

impl HttpClient for Connector {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
