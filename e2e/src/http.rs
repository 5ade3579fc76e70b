//! Requests over plain HTTP, each on a connection of its own.

use std::time::Duration;

use anyhow::{Context, Result};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(5);

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: String,
}

/// Status code and body of a GET.
///
/// # Errors
/// When there is no answer within five seconds.
pub async fn get(url: &str) -> Result<(u16, String)> {
    send("GET", url, "").await
}

/// Status code and body of a request with a body of JSON, or none.
///
/// # Errors
/// When there is no answer within five seconds.
pub async fn send(method: &str, url: &str, body: &str) -> Result<(u16, String)> {
    let mut request = Request::builder().method(method).uri(url);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let answer = exchange(request.body(body.to_owned())?).await?;
    Ok((answer.status, answer.body))
}

/// Sends one request.
///
/// # Errors
/// When there is no answer within five seconds.
pub async fn exchange(request: Request<impl Into<Bytes>>) -> Result<Answer> {
    let url = request.uri().to_string();
    let answer = tokio::time::timeout(LIMIT, ask(request)).await;
    answer
        .with_context(|| format!("{url} did not answer within 5 s"))?
        .with_context(|| format!("no HTTP answer from {url}"))
}

async fn ask(request: Request<impl Into<Bytes>>) -> Result<Answer> {
    // What was restarted meanwhile would not know an old connection.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let response = client.request(request.map(|body| Full::<Bytes>::new(body.into()))).await?;
    let (head, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn when_a_body_comes_in_chunks_then_it_is_put_together() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        });
        assert_eq!(get(&format!("http://{address}/")).await.unwrap(), (200, "abcdef".to_owned()));
    }
}
