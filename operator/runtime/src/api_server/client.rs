//! The shared client. It never retries by itself, so the caller sees every failure, and it counts each request.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{Layer, Service};

use crate::serve::metrics::Metrics;

/// A server that does not even accept a connection within this time is taken for unreachable.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Makes the client.
///
/// # Errors
/// When the configuration contains certificates or tokens that cannot be used.
pub fn connect(mut config: Config, metrics: Arc<Metrics>) -> kube::Result<Client> {
    // The client's own retry hides minutes inside one call; here backoff is per key and visible.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_DEADLINE);
    Ok(ClientBuilder::try_from(config)?.with_layer(&CountLayer(metrics)).build())
}

#[derive(Clone, Debug)]
struct CountLayer(Arc<Metrics>);

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Count { inner, metrics: Arc::clone(&self.0) }
    }
}

/// Counts requests by method and code.
#[derive(Clone, Debug)]
struct Count<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, B> Service<Request<Body>> for Count<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.method().clone();
        let metrics = Arc::clone(&self.metrics);
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await;
            metrics.request(&method, answer.as_ref().ok().map(Response::status));
            answer
        }
        .boxed()
    }
}
