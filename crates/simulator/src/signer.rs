//! The key access tokens are signed with (RS256). It is public and the same everywhere: tokens of a pretended Microsoft protect nothing, and
//! building the key from its primes costs no start-up time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const P: &str = "fa77005cc25c1f208d36ae8ea13aaa80e9a4312b6e71ceaebf356aa258c67c50ea6c8adf33aec7f7bdada92890459ffdce5214a74e06e3e66b323731a934e20f28af43665119b84fd7177e20d68d6f757d933fb01957100e6cb6ae5a4646beedb5c7ec29940501dad41b272cb76ac7ebb6c9ddf09c185184886debe00f408749";
const Q: &str = "b6f337f9b21043124ecd76c4b803cf30ae9b6a929eac7841dc552adc8b7b2980cc43b3f88866b5fc49cc26da7b3f81a73ecb1c4d3c733270e05c947e8dce1be5bfd3470e93ae491c3cc64b5a8b1dcc373d941efe78634288c586be6a0a81a2409bcc5f968e991ec3862714916eaa1aa7901b79ef9dc60c7be099da890a0a3abb";

/// Start of a PKCS #1 v1.5 signature's content for SHA-256 (RFC 8017, 9.2).
const SHA256_PREFIX: &[u8] =
    &[0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// Name of the key in the keys document and in every token.
const KEY_ID: &str = "rollcall-simulator-1";

/// Signs and checks tokens.
pub struct Signer(RsaPrivateKey);

impl Signer {
    /// The key. `None` cannot happen with the primes above; it spares a panic.
    #[must_use]
    pub fn new() -> Option<Self> {
        let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16);
        RsaPrivateKey::from_p_q(number(P)?, number(Q)?, BigUint::from(65_537u32)).ok().map(Self)
    }

    fn scheme() -> Pkcs1v15Sign {
        Pkcs1v15Sign { hash_len: Some(32), prefix: SHA256_PREFIX.into() }
    }

    /// A signed JWT of these claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": KEY_ID});
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.0.sign(Self::scheme(), &Sha256::digest(signed.as_bytes())).unwrap_or_default();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of a token with a good signature.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.0.to_public_key().verify(Self::scheme(), &Sha256::digest(signed.as_bytes()), &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?).ok()
    }

    /// The keys document's entry.
    #[must_use]
    pub fn jwk(&self) -> Value {
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": URL_SAFE_NO_PAD.encode(self.0.n().to_bytes_be()), "e": URL_SAFE_NO_PAD.encode(self.0.e().to_bytes_be())})
    }
}
