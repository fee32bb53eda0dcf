//! What the host does for a plugin: its settings, its log, arithmetic with
//! secrets. In a unit test on the author's machine, [`pretend`] answers.

pub use crate::bindings::shared_world::ringback::plugin::keys::{Algorithm, KeyForm};

#[cfg(target_family = "wasm")]
use crate::bindings::shared_world::ringback::plugin::{keys, log, settings};

/// A plain setting of the connection; `None` when absent or empty.
pub fn setting(name: &str) -> Option<String> {
    #[cfg(target_family = "wasm")]
    let value = settings::get(name);
    #[cfg(not(target_family = "wasm"))]
    let value = pretend::value(name);
    value.filter(|value| !value.is_empty())
}

/// An address setting without a slash at its end, or the default.
pub fn address(name: &str, default: &str) -> String {
    let address = setting(name).unwrap_or_else(|| default.to_owned());
    address.trim_end_matches('/').to_owned()
}

/// The keyed hash of `data` with a secret setting. The error is a sentence.
pub fn hmac(
    secret: &str,
    form: KeyForm,
    algorithm: Algorithm,
    data: &[u8],
) -> Result<Vec<u8>, String> {
    #[cfg(target_family = "wasm")]
    return keys::hmac(secret, form, algorithm, data).map_err(|error| match error {
        keys::Error::Unknown(name) => format!("there is no secret setting `{name}`"),
        keys::Error::Unfit(why) => why,
    });
    #[cfg(not(target_family = "wasm"))]
    pretend::hmac(secret, form, algorithm, data)
}

/// A line in the host's log that an operator should see.
pub fn warn(message: &str) {
    #[cfg(target_family = "wasm")]
    log::write(log::Level::Warn, message);
    #[cfg(not(target_family = "wasm"))]
    let _ = message;
}

/// Stands in for the host in unit tests.
#[cfg(not(target_family = "wasm"))]
pub mod pretend {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use hmac::{Hmac, KeyInit, Mac};

    use super::{Algorithm, KeyForm};

    type Named = BTreeMap<String, String>;

    thread_local! {
        static SETTINGS: RefCell<(Named, Named)> = RefCell::default();
    }

    /// Sets this thread's plain and secret settings, in place of any before.
    pub fn settings(values: &[(&str, &str)], secrets: &[(&str, &str)]) {
        let named = |pairs: &[(&str, &str)]| -> Named {
            let pairs = pairs.iter();
            pairs
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        SETTINGS.set((named(values), named(secrets)));
    }

    pub(super) fn value(name: &str) -> Option<String> {
        SETTINGS.with_borrow(|(values, _)| values.get(name).cloned())
    }

    pub(super) fn hmac(
        secret: &str,
        form: KeyForm,
        algorithm: Algorithm,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        let key = SETTINGS
            .with_borrow(|(_, secrets)| secrets.get(secret).cloned())
            .ok_or_else(|| format!("there is no secret setting `{secret}`"))?;
        if form != KeyForm::Plain {
            return Err("the pretend host knows plain keys only".to_owned());
        }
        match algorithm {
            Algorithm::HmacSha1 => tag::<Hmac<sha1::Sha1>>(&key, data),
            Algorithm::HmacSha256 => tag::<Hmac<sha2::Sha256>>(&key, data),
            Algorithm::HmacSha512 => tag::<Hmac<sha2::Sha512>>(&key, data),
        }
    }

    fn tag<M: Mac + KeyInit>(key: &str, data: &[u8]) -> Result<Vec<u8>, String> {
        let mac = <M as KeyInit>::new_from_slice(key.as_bytes()).map_err(|e| e.to_string())?;
        Ok(mac.chain_update(data).finalize().into_bytes().to_vec())
    }
}
