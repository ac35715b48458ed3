//! Secrets at rest: envelope encryption.
//!
//! Each scope (a connection, or `global`) has a data key of its own; the data key is wrapped by the master key, the secrets by
//! the data key, both with AES-256-GCM. Associated data ties a sealed value to its scope, its name and its key, so that rows
//! cannot be swapped. Only the master key is kept outside; rotating it wraps the data keys anew and touches no secret.

use crate::db::{Row, Tx};
use crate::error::{Result, StoreError};
use crate::{Store, values};
use aes_gcm::aead::{Aead, KeyInit, Nonce, Payload};
use aes_gcm::{Aes256Gcm, Key};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of a nonce.
const NONCE: usize = 12;

/// The key that wraps all others, with the ones it replaced while a rotation is under way. Never shown.
#[derive(Clone)]
pub struct MasterKey {
    current: Ring,
    older: Vec<Ring>,
}

#[derive(Clone)]
struct Ring {
    id: String,
    bytes: Arc<Zeroizing<[u8; KEY]>>,
}

impl Ring {
    fn new(bytes: [u8; KEY]) -> Self {
        // Named by a hash of itself, so that a row tells which key it needs without telling the key.
        let id = hex::encode(&Sha256::digest([b"rollcall master key".as_slice(), &bytes].concat())[..8]);
        Self { id, bytes: Arc::new(Zeroizing::new(bytes)) }
    }
}

impl MasterKey {
    /// A key of 32 bytes.
    #[must_use]
    pub fn new(bytes: [u8; KEY]) -> Self {
        Self { current: Ring::new(bytes), older: Vec::new() }
    }

    /// Also opens what an older key sealed.
    #[must_use]
    pub fn with_older(mut self, bytes: [u8; KEY]) -> Self {
        self.older.push(Ring::new(bytes));
        self
    }

    /// The key's name: a hash, safe to show.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.current.id
    }

    fn ring(&self, id: &str) -> Option<&Ring> {
        std::iter::once(&self.current).chain(&self.older).find(|ring| ring.id == id)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.current.id)
    }
}

/// A sealed value.
struct Sealed {
    nonce: Vec<u8>,
    bytes: Vec<u8>,
}

fn seal(key: &[u8; KEY], text: &[u8], associated: &str) -> Result<Sealed> {
    let nonce = fresh::<NONCE>()?;
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let payload = Payload { msg: text, aad: associated.as_bytes() };
    let bytes = cipher.encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload);
    let bytes = bytes.map_err(|_| StoreError::Invalid("The value is too long to be sealed.".into()))?;
    Ok(Sealed { nonce: nonce.to_vec(), bytes })
}

fn open(key: &[u8; KEY], sealed: &Sealed, associated: &str) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; NONCE] = sealed.nonce.as_slice().try_into().ok()?;
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let payload = Payload { msg: &sealed.bytes, aad: associated.as_bytes() };
    cipher.decrypt(&Nonce::<Aes256Gcm>::from(nonce), payload).ok().map(Zeroizing::new)
}

/// Keys and nonces come from the operating system alone: a seeded generator here would be a hole, not a convenience.
fn fresh<const N: usize>() -> Result<[u8; N]> {
    use rand::TryRng;
    let mut bytes = [0; N];
    let drawn = rand::rngs::SysRng.try_fill_bytes(&mut bytes);
    drawn.map_err(|_| StoreError::Unavailable("the system gives no random bytes.".into()))?;
    Ok(bytes)
}

struct DataKey {
    id: i64,
    bytes: Zeroizing<[u8; KEY]>,
}

impl Store {
    /// Seals a secret under a scope and a name, over the one it had. Where the scope's key cannot be opened any more, because the master
    /// key is lost, the secret gets a new one: giving each secret anew is the way back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_secret(&self, key: &MasterKey, scope: &str, name: &str, secret: &SecretString, now: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let newest = tx.query_opt(&format!("{DATA_KEY} WHERE scope = $1 ORDER BY id DESC LIMIT 1"), values![scope]).await?;
        let data_key = match newest.map(|row| data_key(&row, key)).transpose() {
            Ok(Some(data_key)) => data_key,
            Ok(None) | Err(StoreError::Sealed { .. }) => new_data_key(&mut tx, key, scope, now).await?,
            Err(other) => return Err(other),
        };
        let sealed = seal(&data_key.bytes, secret.expose_secret().as_bytes(), &associated(scope, name, data_key.id))?;
        let sql = "INSERT INTO secrets (scope, name, data_key_id, nonce, sealed, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (scope, name) DO UPDATE SET data_key_id = excluded.data_key_id, nonce = excluded.nonce,
                sealed = excluded.sealed, changed_at = excluded.changed_at";
        tx.execute(sql, values![scope, name, data_key.id, sealed.nonce, sealed.bytes, now]).await?;
        let unused = "DELETE FROM data_keys WHERE scope = $1 AND id NOT IN (SELECT data_key_id FROM secrets WHERE scope = $1)";
        tx.execute(unused, values![scope]).await?;
        tx.commit().await
    }

    /// Opens a secret.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it cannot be opened with this master key.
    pub async fn secret(&self, key: &MasterKey, scope: &str, name: &str) -> Result<Option<SecretString>> {
        let mut tx = self.db.read().await?;
        let sql = "SELECT nonce, sealed, data_key_id FROM secrets WHERE scope = $1 AND name = $2";
        let Some(row) = tx.query_opt(sql, values![scope, name]).await? else { return Ok(None) };
        let unopened = || StoreError::Sealed { name: name.to_owned() };
        let id: i64 = row.get(2)?;
        let row_of_key = tx.query_opt(&format!("{DATA_KEY} WHERE id = $1 AND scope = $2"), values![id, scope]).await?;
        let data_key = data_key(&row_of_key.ok_or_else(unopened)?, key)?;
        let sealed = Sealed { nonce: row.get(0)?, bytes: row.get(1)? };
        let text = open(&data_key.bytes, &sealed, &associated(scope, name, id)).ok_or_else(unopened)?;
        let text = std::str::from_utf8(&text).map_err(|_| unopened())?;
        Ok(Some(SecretString::from(text.to_owned())))
    }

    /// The scopes and names of all secrets; never their values.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn secret_names(&self) -> Result<Vec<(String, String)>> {
        let rows = self.db.query("SELECT scope, name FROM secrets ORDER BY scope, name", ()).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove_secret(&self, scope: &str, name: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let gone = tx.execute("DELETE FROM secrets WHERE scope = $1 AND name = $2", values![scope, name]).await?;
        tx.commit().await?;
        if gone == 0 { Err(StoreError::missing("secret", name)) } else { Ok(()) }
    }

    /// Wraps every data key with `key`, which must still hold the keys they are wrapped with now (see [`MasterKey::with_older`]).
    /// All or none; gives how many were wrapped anew.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] naming a scope whose key cannot be opened.
    pub async fn rotate_master_key(&self, key: &MasterKey) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let rows = tx.query(&format!("{DATA_KEY} WHERE master_key_id <> $1"), values![key.id()]).await?;
        let mut wrapped = 0;
        for row in rows {
            let (data_key, scope) = (data_key(&row, key)?, row.str(4)?);
            let sealed = seal(&key.current.bytes, data_key.bytes.as_slice(), &associated(scope, "data key", 0))?;
            let sql = "UPDATE data_keys SET master_key_id = $2, nonce = $3, wrapped = $4 WHERE id = $1";
            wrapped += tx.execute(sql, values![data_key.id, key.id(), sealed.nonce, sealed.bytes]).await?;
        }
        tx.commit().await?;
        Ok(wrapped)
    }

    /// Whether every stored secret can be opened with this master key, for `doctor`: the first scope that cannot, if any.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn check_master_key(&self, key: &MasterKey) -> Result<Option<String>> {
        let mut tx = self.db.read().await?;
        let rows = tx.query(&format!("{DATA_KEY} ORDER BY scope, id"), ()).await?;
        for row in rows {
            match data_key(&row, key) {
                Ok(_) => {}
                Err(StoreError::Sealed { name }) => return Ok(Some(name)),
                Err(other) => return Err(other),
            }
        }
        Ok(None)
    }
}

fn associated(scope: &str, name: &str, key: i64) -> String {
    // Lengths first, so that no two triples make the same text.
    format!("{}:{scope}{}:{name}{key}", scope.len(), name.len())
}

/// What [`data_key`] opens.
const DATA_KEY: &str = "SELECT id, master_key_id, nonce, wrapped, scope FROM data_keys";

/// A scope's key out of its row.
fn data_key(row: &Row, key: &MasterKey) -> Result<DataKey> {
    let scope = row.str(4)?;
    let unopened = || StoreError::Sealed { name: scope.to_owned() };
    let ring = key.ring(row.str(1)?).ok_or_else(unopened)?;
    let sealed = Sealed { nonce: row.get(2)?, bytes: row.get(3)? };
    let bytes = open(&ring.bytes, &sealed, &associated(scope, "data key", 0)).ok_or_else(unopened)?;
    let bytes: [u8; KEY] = bytes.as_slice().try_into().map_err(|_| unopened())?;
    Ok(DataKey { id: row.get(0)?, bytes: Zeroizing::new(bytes) })
}

async fn new_data_key(tx: &mut Tx, key: &MasterKey, scope: &str, now: i64) -> Result<DataKey> {
    let bytes = Zeroizing::new(fresh::<KEY>()?);
    let sealed = seal(&key.current.bytes, bytes.as_slice(), &associated(scope, "data key", 0))?;
    let sql = "INSERT INTO data_keys (scope, master_key_id, nonce, wrapped, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let row = tx.query_opt(sql, values![scope, key.id(), sealed.nonce, sealed.bytes, now]).await?;
    let row = row.ok_or_else(|| StoreError::Corrupt("an insert into data_keys gave no id".into()))?;
    Ok(DataKey { id: row.get(0)?, bytes })
}
