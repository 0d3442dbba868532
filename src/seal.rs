//! What rests on disk is sealed: XChaCha20-Poly1305 under a key of the keyring, bound to what it is for.
//!
//! A sealed file is `magic | nonce | ciphertext`. The magic carries the version. What the file is for (the user,
//! the profile, the fingerprint, the expiration) is associated data: it is not in the file, the reader must know it,
//! and a file that is swapped, bent or from another version does not open.

use crate::ports::SealingKey;
use crate::secret::Secret;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"vltkey\0\x01";
const NONCE: usize = 24;

/// Seals `secret` for `purpose`.
pub fn seal(key: &SealingKey, purpose: &[u8], secret: &Secret) -> Vec<u8> {
    let nonce: [u8; NONCE] = random();
    let cipher = XChaCha20Poly1305::new(&Key::from(key.0));
    let payload = Payload { msg: secret.expose().as_bytes(), aad: purpose };
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("a secret is shorter than the cipher's limit");
    [MAGIC.as_slice(), &nonce, &sealed].concat()
}

/// Opens what was sealed under the same key for the same purpose; None for anything else.
pub fn open(key: &SealingKey, purpose: &[u8], sealed: &[u8]) -> Option<Secret> {
    let rest = sealed.strip_prefix(MAGIC)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let cipher = XChaCha20Poly1305::new(&Key::from(key.0));
    let plain = cipher.decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: purpose }).ok()?;
    String::from_utf8(plain).ok().map(Secret::new)
}

/// A short name of a key, safe to show: tells one key from another.
pub fn key_id(key: &SealingKey) -> String {
    digest(&[b"valetkey key id", &key.0])[..16].to_owned()
}

/// Stands for `secret` where the secret itself must not: the same text for the same secret, and nothing that can be
/// tried out without the key.
pub fn mac(key: &SealingKey, secret: &Secret) -> String {
    digest(&[b"valetkey mac", &key.0, secret.expose().as_bytes()])[..32].to_owned()
}

/// SHA-256 over the parts, each preceded by its length so that no two lists of parts read alike. 64 hex digits.
pub fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

/// Bytes from the kernel.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(&mut bytes[filled..], flags).expect("the kernel has random bytes");
    }
    bytes
}

/// A random number from 0 to 1, for jitter.
pub fn random_share() -> f64 {
    f64::from(u32::from_le_bytes(random())) / f64::from(u32::MAX)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_under_the_same_key_and_purpose_alone() {
        let secret = Secret::new("marker");
        let sealed = seal(&key(1), b"a", &secret);
        assert_eq!(open(&key(1), b"a", &sealed), Some(secret));
        assert_eq!(open(&key(2), b"a", &sealed), None);
        assert_eq!(open(&key(1), b"b", &sealed), None, "swapped between profiles");
    }

    #[test]
    fn f15_every_truncation_and_every_flipped_bit_is_a_miss() {
        let sealed = seal(&key(1), b"a", &Secret::new("marker"));
        for end in 0..sealed.len() {
            assert_eq!(open(&key(1), b"a", &sealed[..end]), None, "cut at {end}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut bent = sealed.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key(1), b"a", &bent), None, "bit {bit}");
        }
        let mut future = sealed;
        future[7] = 2;
        assert_eq!(open(&key(1), b"a", &future), None, "a version from the future");
    }

    #[test]
    fn s18_no_plain_text_and_no_two_equal_files() {
        let (a, b) = (seal(&key(1), b"", &Secret::new("marker")), seal(&key(1), b"", &Secret::new("marker")));
        assert_ne!(a, b);
        assert!(!a.windows(6).any(|w| w == b"marker"));
    }
}
