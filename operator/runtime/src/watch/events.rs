//! The lines of a watch. The object of each stays text here: whether it can be read is a matter of that object alone.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::pin::Pin;

use futures::io::Lines;
use futures::{AsyncBufRead, AsyncBufReadExt, TryStreamExt};
use kube::Client;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error_chain::chain;

/// One event of a watch.
#[derive(Debug)]
pub enum Event {
    /// There is a new version of an object, or the first.
    Changed(Box<RawValue>),
    /// An object is gone; its last version.
    Deleted(Box<RawValue>),
    /// The watch has come so far.
    Bookmark(Bookmark),
    /// The server ends the watch, and says why.
    Failed(Failure),
}

/// How far a watch has come.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Bookmark {
    /// Version and annotations.
    pub metadata: BookmarkMetadata,
}

/// What is read of a bookmark.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BookmarkMetadata {
    /// The version that the watch has come to.
    pub resource_version: String,
    /// One of them ends a streamed list.
    pub annotations: BTreeMap<String, String>,
}

/// Why the server ends a watch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// Status code of HTTP.
    pub code: u16,
    /// In words.
    pub message: String,
}

/// Why no event came.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The connection broke.
    #[error("the watch was cut: {0}")]
    Cut(String),
    /// Not a line of a watch.
    #[error("a line of the watch cannot be read: {0}")]
    Line(#[from] serde_json::Error),
}

/// A watch that the server began.
pub struct Events(Lines<Pin<Box<dyn AsyncBufRead + Send>>>);

/// Begins a watch.
///
/// # Errors
/// When the server does not.
pub async fn open(client: &Client, request: http::Request<Vec<u8>>) -> kube::Result<Events> {
    let body: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(client.request_stream(request).await?);
    Ok(Events(body.lines()))
}

impl Events {
    /// The next event, or nothing when the watch is over. A line that is not complete is the end.
    ///
    /// # Errors
    /// [`EventError`] when the connection broke or the line is no event.
    pub async fn next(&mut self) -> Result<Option<Event>, EventError> {
        let line = match self.0.try_next().await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(error) if is_end(&error) => return Ok(None),
            Err(error) => return Err(EventError::Cut(chain(&error))),
        };
        match event(&line) {
            Ok(event) => Ok(Some(event)),
            Err(error) if error.is_eof() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads one line. The object may come before its type.
fn event(line: &str) -> Result<Event, serde_json::Error> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(rename = "type")]
        what: What,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    enum What {
        Added,
        Modified,
        Deleted,
        Bookmark,
        Error,
    }
    let Line { what, object } = serde_json::from_str(line)?;
    Ok(match what {
        What::Added | What::Modified => Event::Changed(object.to_owned()),
        What::Deleted => Event::Deleted(object.to_owned()),
        What::Bookmark => Event::Bookmark(serde_json::from_str(object.get())?),
        What::Error => Event::Failed(serde_json::from_str(object.get())?),
    })
}

/// Servers and proxies end a watch by closing the connection, which TLS and chunked bodies report as errors.
fn is_end(error: &io::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = source {
        let of_io = one.downcast_ref::<io::Error>();
        let is_closed = of_io.is_some_and(|one| one.kind() == ErrorKind::UnexpectedEof);
        if is_closed || one.to_string().contains("unexpected EOF during chunk") {
            return true;
        }
        // The source of one that wraps another is not the other one but the source of that.
        let wrapped = of_io.and_then(io::Error::get_ref).map(|one| one as &(dyn std::error::Error + 'static));
        source = wrapped.or_else(|| one.source());
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_the_object_comes_before_or_after_its_type_then_both_are_the_same_event() {
        let deep = format!("{}{}", "[".repeat(9_990), "]".repeat(9_990));
        for line in [
            format!(r#"{{"type":"ADDED","object":{{"a":{deep}}}}}"#),
            format!(r#"{{"object":{{"a":{deep}}},"type":"MODIFIED"}}"#),
        ] {
            let Event::Changed(object) = event(&line).unwrap() else { panic!() };
            assert_eq!(object.get(), format!(r#"{{"a":{deep}}}"#));
        }
    }

    #[test]
    fn when_the_server_ends_a_watch_then_its_reason_is_read() {
        let line = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        let Event::Failed(failure) = event(line).unwrap() else { panic!() };
        assert_eq!((failure.code, failure.message.as_str()), (410, "too old"));
    }

    #[test]
    fn when_a_connection_is_closed_inside_of_a_line_then_that_is_an_end() {
        assert!(event(r#"{"type":"ADDED","object":{"a":"#).unwrap_err().is_eof());
        assert!(is_end(&io::Error::other(io::Error::from(ErrorKind::UnexpectedEof))));
        assert!(is_end(&io::Error::other("unexpected EOF during chunk size line")));
        assert!(!is_end(&io::Error::from(ErrorKind::ConnectionReset)));
    }
}
