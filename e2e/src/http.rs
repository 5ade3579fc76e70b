//! Requests over plain HTTP. No HTTP client is worth a dependency for this.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(5);

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
    let answer = tokio::time::timeout(LIMIT, ask(method, url, body)).await;
    answer.with_context(|| format!("{url} did not answer within 5 s"))?
}

async fn ask(method: &str, url: &str, body: &str) -> Result<(u16, String)> {
    let rest = url.strip_prefix("http://").context("only http")?;
    let (host, path) = rest.split_once('/').context("no path")?;
    let mut stream = TcpStream::connect(host).await?;
    let mut request = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if !body.is_empty() {
        let length = body.len();
        request.extend(["Content-Type: application/json\r\nContent-Length: ", &length.to_string(), "\r\n"]);
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let text = String::from_utf8_lossy(&bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { bail!("no HTTP answer from {url}") };
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status code")?;
    Ok((code, if is_chunked(head) { unchunked(body) } else { body.to_owned() }))
}

fn is_chunked(head: &str) -> bool {
    head.to_ascii_lowercase().contains("transfer-encoding: chunked")
}

/// `4\r\nabcd\r\n0\r\n\r\n` is `abcd`.
fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        let Some(chunk) = rest.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        text.push_str(chunk);
        body = rest.get(size..).unwrap_or_default().trim_start_matches("\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_body_comes_in_chunks_then_it_is_put_together() {
        assert_eq!(unchunked("4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"), "abcdef");
        assert!(is_chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"));
    }
}
