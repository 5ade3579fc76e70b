//! Plain HTTP/1.1 on loopback, one request a connection: both ends of it. No HTTP library is worth a dependency for this.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// What a client asked.
#[derive(Debug)]
pub(super) struct Question {
    /// Path with its query.
    pub(super) path: String,
    /// Names in lower case.
    pub(super) headers: BTreeMap<String, String>,
}

/// Sends one request.
pub(super) async fn exchange(
    method: &str,
    address: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    stream.write_all(body).await?;
    let mut reader = BufReader::new(stream);
    let (first, headers) = read_head(&mut reader).await?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no status code")?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await?;
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Reads one request without a body.
pub(super) async fn question(stream: &mut TcpStream) -> Result<Question> {
    let mut reader = BufReader::new(stream);
    let (first, headers) = read_head(&mut reader).await?;
    let path = first.split(' ').nth(1).context("no path")?.to_owned();
    Ok(Question { path, headers })
}

/// Answers one request with JSON.
pub(super) async fn answer(stream: &mut TcpStream, status: u16, body: &str) -> Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

async fn read_head<R: tokio::io::AsyncBufRead + Unpin>(reader: &mut R) -> Result<(String, BTreeMap<String, String>)> {
    let mut first = String::new();
    reader.read_line(&mut first).await?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok((first.trim_end().to_owned(), headers))
}
