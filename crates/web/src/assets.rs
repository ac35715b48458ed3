//! The files browsers need besides pages, embedded into the program: our own, and the packages' that `npm run assets` copies to
//! `assets/vendor`.

use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};
use std::collections::HashMap;
use std::sync::LazyLock;

#[derive(RustEmbed)]
#[folder = "assets/own"]
struct Own;

#[derive(RustEmbed)]
#[folder = "assets/vendor"]
#[allow_missing = true]
struct Vendor;

/// What a page cannot do without.
const NEEDED: &[&str] = &["tabler.min.css", "htmx.min.js"];

/// The program was built before the front-end packages were there.
#[derive(Debug, thiserror::Error)]
#[error("the pages' styles ({0}) are not part of this program: run `make setup`, then build again")]
pub struct MissingAssets(&'static str);

/// Whether everything a page needs was embedded.
///
/// # Errors
/// The first file that is missing.
pub fn check() -> Result<(), MissingAssets> {
    NEEDED.iter().find(|name| Vendor::get(name).is_none()).map_or(Ok(()), |name| Err(MissingAssets(name)))
}

/// Addresses by file name, with a piece of the content's hash, so that browsers may keep a file for ever.
static ADDRESSES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let address = |name: &str, file: Option<EmbeddedFile>| {
        let hash = file.map(|f| hex::encode(&f.metadata.sha256_hash()[..6])).unwrap_or_default();
        (name.to_owned(), format!("/assets/{name}?v={hash}"))
    };
    Own::iter().map(|n| address(&n, Own::get(&n))).chain(Vendor::iter().map(|n| address(&n, Vendor::get(&n)))).collect()
});

/// The address of an asset for use in a page.
#[must_use]
pub fn address(name: &str) -> &str {
    ADDRESSES.get(name).map_or("/assets/missing", String::as_str)
}

/// `GET /assets/{name}`.
pub async fn serve(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(file) = Own::get(&name).or_else(|| Vendor::get(&name)) else {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    };
    let hash = hex::encode(file.metadata.sha256_hash());
    let etag = format!("\"{}\"", &hash[..16]);
    let versioned = query.is_some_and(|q| q == format!("v={}", &hash[..12]));
    let cache = if versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag), (header::CACHE_CONTROL, cache.into())]).into_response();
    }
    let mime = mime_guess::from_path(&name).first_or_octet_stream();
    let kind = if mime.type_() == "text" { format!("{mime}; charset=utf-8") } else { mime.to_string() };
    ([(header::CONTENT_TYPE, kind), (header::ETAG, etag), (header::CACHE_CONTROL, cache.into())], file.data).into_response()
}
