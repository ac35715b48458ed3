//! Passwords: argon2id, off the request threads, and never more than two at a time, so that a flood of sign-ins costs memory for
//! two.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Shortest password, in characters (NIST SP 800-63B asks for 8 at least with, 15 without a second factor; 12 with a rate limit).
pub const MIN_LENGTH: usize = 12;
/// Longest password, in bytes: hashing must not be a way to keep us busy.
pub const MAX_LENGTH: usize = 1024;

/// How much work one password check is.
#[derive(Debug, Clone, Copy)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl PasswordCost {
    /// The least argon2 accepts, for tests.
    pub const LOWEST: Self = Self { memory_kib: 8, passes: 1 };
}

/// Hashes and checks passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon: Argon2<'static>,
    turns: Arc<Semaphore>,
    /// What a password is checked against when the account does not exist, so that both answers take as long.
    nobody: Arc<str>,
}

/// A password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be processed: {0}")]
pub struct PasswordError(String);

impl Passwords {
    /// A hasher of the given cost.
    ///
    /// # Errors
    /// The cost is outside what argon2 accepts.
    pub fn new(cost: PasswordCost) -> Result<Self, PasswordError> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|e| PasswordError(e.to_string()))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon, "nobody's password", &[7; 16])?;
        Ok(Self { argon, turns: Arc::new(Semaphore::new(2)), nobody: nobody.into() })
    }

    /// The hash of a new password as PHC text.
    ///
    /// # Errors
    /// Hashing failed (out of memory).
    pub async fn hash(&self, password: String, salt: [u8; 16]) -> Result<String, PasswordError> {
        let argon = self.argon.clone();
        self.off_thread(move || hash(&argon, &password, &salt)).await?
    }

    /// Whether the password fits the stored hash; without one, false after the same work.
    ///
    /// # Errors
    /// The check could not run.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, PasswordError> {
        let argon = self.argon.clone();
        let (known, stored) = (stored.is_some(), stored.unwrap_or_else(|| self.nobody.to_string()));
        self.off_thread(move || {
            let parsed = PasswordHash::new(&stored).map_err(|e| PasswordError(e.to_string()))?;
            let fits = argon.verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(known && fits)
        })
        .await?
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let _turn = self.turns.acquire().await.map_err(|e| PasswordError(e.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|e| PasswordError(e.to_string()))
    }
}

fn hash(argon: &Argon2<'_>, password: &str, salt: &[u8]) -> Result<String, PasswordError> {
    let hash = argon.hash_password_with_salt(password.as_bytes(), salt).map_err(|e| PasswordError(e.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_an_existing_account_fits() {
        let passwords = Passwords::new(PasswordCost::LOWEST).unwrap();
        let stored = passwords.hash("correct horse battery".into(), [1; 16]).await.unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(passwords.verify("correct horse battery".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify("wrong".into(), Some(stored)).await.unwrap());
        assert!(!passwords.verify("nobody's password".into(), None).await.unwrap());
    }
}
