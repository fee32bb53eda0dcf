//! Arithmetic with secrets (`wit/host.wit`, interface `keys`): the plugin names
//! a secret setting and gets the result, never the secret.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use ringback_core::model::Secret;
use subtle::ConstantTimeEq;

use crate::bindings::generated::ringback::plugin::keys::{Algorithm, Error, Host, KeyForm};
use crate::jwt;
use crate::state::State;

/// Providers print keys with and without the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What precedes the 32 bytes of the key in a PEM file (RFC 8410, section 4).
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

impl State {
    fn secret(&self, name: &str) -> Result<&Secret, Error> {
        self.context
            .as_ref()
            .and_then(|context| context.connection.secrets.get(name))
            .ok_or_else(|| Error::Unknown(name.to_owned()))
    }

    /// A public key is no secret, so it may stand among either settings.
    fn public_key(&self, name: &str) -> Result<VerifyingKey, Error> {
        let plain = self
            .context
            .as_ref()
            .and_then(|context| context.connection.values.get(name));
        let text = match plain {
            Some(value) => value.as_str(),
            None => self.secret(name)?.expose(),
        };
        ed25519_key(text).ok_or_else(|| {
            Error::Unfit(format!(
                "`{name}` is not an Ed25519 public key in base64 or PEM"
            ))
        })
    }
}

impl Host for State {
    fn hmac(
        &mut self,
        secret: String,
        form: KeyForm,
        algorithm: Algorithm,
        data: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let key = self
            .secret(&secret)
            .and_then(|value| key_bytes(&secret, value.expose(), form));
        Ok(key.and_then(|key| match algorithm {
            Algorithm::HmacSha1 => tag::<Hmac<sha1::Sha1>>(&key, &data),
            Algorithm::HmacSha256 => tag::<Hmac<sha2::Sha256>>(&key, &data),
            Algorithm::HmacSha512 => tag::<Hmac<sha2::Sha512>>(&key, &data),
        }))
    }

    fn equals(
        &mut self,
        secret: String,
        candidate: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self
            .secret(&secret)
            .map(|value| value.expose().as_bytes().ct_eq(candidate.as_bytes()).into()))
    }

    fn verify_ed25519(
        &mut self,
        key: String,
        data: Vec<u8>,
        signature: Vec<u8>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.public_key(&key).map(|key| {
            Signature::from_slice(&signature)
                .is_ok_and(|signature| key.verify_strict(&data, &signature).is_ok())
        }))
    }

    fn sign_jwt(
        &mut self,
        secret: String,
        algorithm: String,
        claims: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        Ok(self
            .secret(&secret)
            .and_then(|value| jwt::sign(value.expose(), &algorithm, &claims)))
    }

    fn verify_jwt(
        &mut self,
        secret: String,
        algorithm: String,
        token: String,
    ) -> wasmtime::Result<Result<Option<String>, Error>> {
        let now = self.received_at;
        Ok(self
            .secret(&secret)
            .and_then(|value| jwt::verify(value.expose(), &algorithm, &token, now)))
    }
}

fn key_bytes(name: &str, text: &str, form: KeyForm) -> Result<Vec<u8>, Error> {
    let unfit = |form: &str| Error::Unfit(format!("`{name}` is not {form}"));
    match form {
        KeyForm::Plain => Ok(text.as_bytes().to_vec()),
        KeyForm::Base64 => BASE64.decode(text.trim()).map_err(|_| unfit("base64")),
        KeyForm::Hex => hex(text.trim()).ok_or_else(|| unfit("hexadecimal")),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The keyed hash of `data`. HMAC takes keys of any length, so the error does
/// not happen; it is there so that no caller can go on without a tag.
pub(crate) fn tag<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
    let mac = <M as KeyInit>::new_from_slice(key)
        .map_err(|_| Error::Unfit("the secret is no key for this hash".to_owned()))?;
    Ok(mac.chain_update(data).finalize().into_bytes().to_vec())
}

fn ed25519_key(text: &str) -> Option<VerifyingKey> {
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .collect();
    let bytes = BASE64.decode(body).ok()?;
    let raw = bytes.strip_prefix(&ED25519_SPKI).unwrap_or(&bytes);
    VerifyingKey::from_bytes(raw.try_into().ok()?).ok()
}

#[cfg(test)]
mod tests;
