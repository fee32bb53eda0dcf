//! Compiled components on disk, so that a start need not compile again.
//!
//! A cache file is native code and is run as such. wasmtime does not notice a
//! damaged one (measured: a flipped byte loads without an error), so every file
//! begins with a hash of its content and is refused when that differs. Nothing
//! but this module writes the folder, and only the host's user may read it.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use wasmtime::Engine;
use wasmtime::component::Component;

/// Tells apart the temporary files of one process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder of compiled components, for one engine's settings.
pub(crate) struct Cache {
    dir: PathBuf,
    /// Version of wasmtime, target and settings, as a hash.
    compatibility: blake3::Hash,
}

impl Cache {
    pub(crate) fn new(dir: PathBuf, engine: &Engine) -> Self {
        let mut hasher = Blake(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self {
            dir,
            compatibility: hasher.0.finalize(),
        }
    }

    /// The component compiled before from exactly these bytes, by an engine of
    /// exactly this kind. Anything unexpected counts as not there.
    pub(crate) fn load(&self, engine: &Engine, wasm: blake3::Hash) -> Option<Component> {
        let path = self.path(wasm);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("could not read {}: {error}", path.display());
                return None;
            }
        };
        let code = match file.split_first_chunk::<{ blake3::OUT_LEN }>() {
            Some((hash, code)) if blake3::hash(code) == blake3::Hash::from_bytes(*hash) => code,
            _ => {
                tracing::warn!("{} is damaged; compiling again", path.display());
                return None;
            }
        };
        #[expect(
            unsafe_code,
            reason = "these bytes are what this module wrote: their hash was just checked, and \
                      the file name holds the engine's own compatibility hash"
        )]
        // SAFETY: `deserialize` needs the unmodified output of `serialize`. The
        // bytes checked are the bytes passed, so no swap on disk comes between.
        let component = unsafe { Component::deserialize(engine, code) };
        component
            .inspect_err(|error| tracing::warn!("could not use {}: {error:#}", path.display()))
            .ok()
    }

    /// Keeps a compiled component. Failing is no harm beyond the time lost.
    pub(crate) fn save(&self, wasm: blake3::Hash, component: &Component) {
        let path = self.path(wasm);
        let written = component
            .serialize()
            .map_err(|error| io::Error::other(format!("{error:#}")))
            .and_then(|code| self.write(&path, &code));
        if let Err(error) = written {
            tracing::warn!(
                "could not keep the compiled plugin {}: {error}",
                path.display()
            );
        }
    }

    /// Written beside its place and renamed, so that nobody sees half a file.
    fn write(&self, path: &PathBuf, code: &[u8]) -> io::Result<()> {
        private_dir(&self.dir)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}.part", std::process::id()));
        let mut file = fs::File::create(&temporary)?;
        let done = file
            .write_all(blake3::hash(code).as_bytes())
            .and_then(|()| file.write_all(code))
            .and_then(|()| fs::rename(&temporary, path));
        if done.is_err() {
            drop(fs::remove_file(&temporary));
        }
        done
    }

    fn path(&self, wasm: blake3::Hash) -> PathBuf {
        let mut key = blake3::Hasher::new();
        key.update(wasm.as_bytes());
        key.update(self.compatibility.as_bytes());
        self.dir.join(format!("{}.cwasm", key.finalize().to_hex()))
    }
}

#[cfg(unix)]
fn private_dir(dir: &PathBuf) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

#[cfg(not(unix))]
fn private_dir(dir: &PathBuf) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// Lets a value describe itself to BLAKE3 through the standard trait.
struct Blake(blake3::Hasher);

impl Hasher for Blake {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        self.0.finalize_xof().fill(&mut first);
        u64::from_le_bytes(first)
    }
}
