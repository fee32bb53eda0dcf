//! Where secrets come from: the environment or a file, never the configuration
//! itself. Owns reading them, once, and the words when one is missing; no value
//! leaves otherwise than as a `Secret`.

use std::io::Read;
use std::path::{Path, PathBuf};

use ringback_core::model::Secret;
use toml::de::DeValue;

use super::reader::Item;

/// The longest secret that is read from a file, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A file that holds a secret.
#[derive(Clone)]
pub(crate) struct SecretFile {
    /// All of its text.
    pub text: String,
    /// Whether every user of the machine can read it.
    pub world_readable: bool,
}

/// What the configuration takes from the process around it.
pub(crate) trait Environment {
    /// The value of an environment variable; none when it is not set or not
    /// UTF-8.
    fn var(&self, name: &str) -> Option<String>;

    /// A file that holds a secret.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn file(&self, path: &Path) -> std::io::Result<SecretFile>;
}

/// The environment and the files of this process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct System;

impl Environment for System {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> std::io::Result<SecretFile> {
        let file = std::fs::File::open(path)?;
        let world_readable = world_readable(&file.metadata()?);
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text)?;
        Ok(SecretFile {
            text,
            world_readable,
        })
    }
}

#[cfg(unix)]
fn world_readable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn world_readable(_: &std::fs::Metadata) -> bool {
    false
}

/// Reads secrets of one file.
pub(super) struct Sources<'e> {
    pub(super) environment: &'e dyn Environment,
    /// The folder that relative paths start from.
    pub(super) base: PathBuf,
}

impl Sources<'_> {
    /// `{ env = "NAME" }` or `{ file = "path" }`; everything else is an error
    /// that shows how to write it and not what was written.
    pub(super) fn read(&self, item: &Item<'_>) -> Option<Secret> {
        let DeValue::Table(_) = item.value else {
            plain(item);
            return None;
        };
        let mut section = item.section()?;
        let env = section.take("env");
        let file = section.take("file");
        let extra = section.rest();
        for other in &extra {
            // Whatever was meant, its value may be the secret.
            item.report.hide(other.span.clone());
        }
        match (env, file, extra.is_empty()) {
            (Some(env), None, true) => self.variable(&env),
            (None, Some(file), true) => self.file(&file),
            _ => {
                let message = format!("`{}` needs exactly one of env and file", item.path);
                item.report
                    .error(item.key.clone(), message, Some(how(item.name)));
                None
            }
        }
    }

    fn variable(&self, item: &Item<'_>) -> Option<Secret> {
        let name = item.text()?;
        let value = self.environment.var(name);
        let problem = match value.as_deref() {
            Some("") => "is empty",
            Some(_) => return value.map(Secret::new),
            None => "is not set",
        };
        let message = format!("the environment variable {name} {problem}");
        item.error(message, Some("set it before the host starts"));
        None
    }

    fn file(&self, item: &Item<'_>) -> Option<Secret> {
        let path = self.base.join(item.text()?);
        let file = match self.environment.file(&path) {
            Ok(file) => file,
            Err(error) => {
                item.error(format!("could not read {}: {error}", path.display()), None);
                return None;
            }
        };
        if file.world_readable {
            let message = format!("every user of this machine can read {}", path.display());
            let help = format!("chmod 600 {}", path.display());
            item.warning(message, Some(&help));
        }
        let text = file.text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            item.error(format!("{} is empty", path.display()), None);
            return None;
        }
        Some(Secret::new(text))
    }
}

/// Every file that a configuration names for a secret, `{ file = "path" }`, from its
/// folder `base`: also of one that cannot be used, and files that are not there.
pub(super) fn files(value: &DeValue<'_>, base: &Path, found: &mut Vec<PathBuf>) {
    match value {
        DeValue::Table(table) => {
            for (key, value) in table {
                match value.get_ref().as_str() {
                    Some(path) if key.get_ref() == "file" => found.push(base.join(path)),
                    _ => files(value.get_ref(), base, found),
                }
            }
        }
        DeValue::Array(values) => {
            for value in values {
                files(value.get_ref(), base, found);
            }
        }
        _ => {}
    }
}

/// Whether a value is written as a source of a secret.
pub(super) fn is_source(value: &DeValue<'_>) -> bool {
    value.is_table()
}

/// The error for a secret that stands in the file. It points at the key.
pub(super) fn plain(item: &Item<'_>) {
    item.report.hide(item.span.clone());
    let message = format!("`{}` is a secret and must not stand in the file", item.path);
    item.report
        .error(item.key.clone(), message, Some(how(item.name)));
}

/// How a secret of this name is written.
pub(super) fn how(name: &str) -> String {
    let name = if name == "api_keys" {
        "ringback_api_key"
    } else {
        name
    };
    let variable: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("write {{ env = \"{variable}\" }} and set that variable, or {{ file = \"path\" }}")
}
