//! Unguessable texts: session cookies, API tokens, one-time links. 256 bits each; only their hash is ever stored.

use crate::state::AppState;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;

/// What API tokens begin with, so that people and secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "rollcall_";

/// An unguessable text as it is handed out, once.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A fresh one.
    pub fn fresh(state: &AppState, prefix: &str) -> Self {
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(state.random::<32>())))
    }

    /// The text, for handing out.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

/// What is stored of an unguessable text. A plain hash is enough, because 256 random bits cannot be tried out.
#[must_use]
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
