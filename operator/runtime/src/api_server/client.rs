//! The shared client. It never retries by itself, so the caller sees every failure; it counts each request and hears when
//! the server asks for a pause.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{Layer, Service};

use super::throttle::{Throttle, asked_for};
use crate::serve::metrics::Metrics;

/// A server that does not even accept a connection within this time is taken for unreachable.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// The client, and what the server asked of all who use it.
#[derive(Clone)]
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The pause that the server asked for.
    pub throttle: Arc<Throttle>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("throttle", &self.throttle).finish_non_exhaustive()
    }
}

/// With a client that notes no pauses.
impl From<Client> for Connection {
    fn from(client: Client) -> Self {
        Self { client, throttle: Arc::default() }
    }
}

/// Makes the client.
///
/// # Errors
/// When the configuration contains certificates or tokens that cannot be used.
pub fn connect(mut config: Config, metrics: Arc<Metrics>) -> kube::Result<Connection> {
    // The client's own retry hides minutes inside one call; here backoff is per key and visible.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_DEADLINE);
    let throttle = Arc::new(Throttle::default());
    let layer = CountLayer(metrics, Arc::clone(&throttle));
    Ok(Connection { client: ClientBuilder::try_from(config)?.with_layer(&layer).build(), throttle })
}

#[derive(Clone, Debug)]
struct CountLayer(Arc<Metrics>, Arc<Throttle>);

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Count { inner, metrics: Arc::clone(&self.0), throttle: Arc::clone(&self.1) }
    }
}

/// Counts requests by method and code, and notes pauses.
#[derive(Clone, Debug)]
struct Count<S> {
    inner: S,
    metrics: Arc<Metrics>,
    throttle: Arc<Throttle>,
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
        let (metrics, throttle) = (Arc::clone(&self.metrics), Arc::clone(&self.throttle));
        let answer = self.inner.call(request);
        async move {
            let answer = answer.await;
            metrics.request(&method, answer.as_ref().ok().map(Response::status));
            if let Some(pause) = answer.as_ref().ok().and_then(asked_for) {
                throttle.note(pause);
            }
            answer
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn when_the_server_asks_for_a_pause_then_the_client_notes_it_and_goes_on_for_those_who_must() {
        let (metrics, throttle) = (Arc::new(Metrics::default()), Arc::new(Throttle::default()));
        let server = tower::service_fn(|_: Request<Body>| async {
            let busy = Response::builder().status(StatusCode::TOO_MANY_REQUESTS).header("retry-after", "2");
            Ok::<_, std::convert::Infallible>(busy.body(()).unwrap())
        });
        let client = CountLayer(metrics, Arc::clone(&throttle)).layer(server);
        for _ in 0..2 {
            let answer = client.clone().oneshot(Request::new(Body::empty())).await.unwrap();
            assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        }
        assert_eq!(throttle.left(), Duration::from_secs(2));
    }
}
