//! Lists of identities alone: whatever else the objects hold is not sent.

use http::{Method, Request, header};
use serde::Deserialize;

use super::request::{self, RequestError};

const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// One page of such a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Page {
    metadata: PageMetadata,
    /// The server sends `null` for an empty list.
    items: Option<Vec<Item>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageMetadata {
    #[serde(rename = "continue")]
    next: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    metadata: Identity,
}

/// What is known of an object in such a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Identity {
    /// `metadata.name`
    pub name: String,
    /// `metadata.namespace`
    pub namespace: Option<String>,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.resourceVersion`
    pub resource_version: String,
    /// `metadata.finalizers`
    pub finalizers: Vec<String>,
}

impl Page {
    /// Where the next page begins; `None` for the last.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        Some(self.metadata.next.clone()).filter(|next| !next.is_empty())
    }

    /// The objects.
    pub fn identities(self) -> impl Iterator<Item = Identity> {
        self.items.into_iter().flatten().map(|item| item.metadata)
    }
}

/// Asks for a page of a collection. Without a `resourceVersion` the server reads what is stored now.
pub fn list(collection: &str, pairs: &[(&str, &str)]) -> Result<Request<Vec<u8>>, RequestError> {
    let uri = format!("{collection}?{}", request::query(pairs));
    let builder = Request::builder().method(Method::GET).uri(uri).header(header::ACCEPT, METADATA_ONLY);
    Ok(builder.body(Vec::new())?)
}
