//! The store's own export, import and compaction, for the command line. They block,
//! so each has a thread of its own.

use std::fs::File;
use std::path::{Path, PathBuf};

use ringback_store::{Error, Options, archive};

use crate::cli::{Archived, Archives, Later};

/// The files of the embedded store.
pub(crate) struct Files;

impl Files {
    async fn work<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, String> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    }
}

impl From<archive::Summary> for Archived {
    fn from(summary: archive::Summary) -> Self {
        Self {
            records: summary.pairs,
            revision: summary.revision,
            bytes: summary.bytes,
        }
    }
}

impl Archives for Files {
    fn export<'a>(
        &'a self,
        store: &'a Path,
        file: &'a Path,
    ) -> Later<'a, Result<Archived, String>> {
        let (options, file) = (Options::new(store), file.to_path_buf());
        Box::pin(async move {
            let summary = Self::work(move || archive::export_offline(options, &file)).await?;
            Ok(summary.into())
        })
    }

    fn import<'a>(
        &'a self,
        file: &'a Path,
        store: &'a Path,
    ) -> Later<'a, Result<Archived, String>> {
        let (options, path) = (Options::new(store), file.to_path_buf());
        Box::pin(async move {
            let file = open(&path)?;
            if let Some(data) = options.dir.parent().map(PathBuf::from) {
                std::fs::create_dir_all(&data)
                    .map_err(|error| format!("could not make {}: {error}", data.display()))?;
            }
            let summary = Self::work(move || archive::import(file, &path, options)).await?;
            Ok(summary.into())
        })
    }

    fn compact<'a>(&'a self, store: &'a Path) -> Later<'a, Result<(u64, u64), String>> {
        let options = Options::new(store);
        Box::pin(async move {
            let compacted = Self::work(move || archive::compact(options)).await?;
            Ok((compacted.before, compacted.after))
        })
    }
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("could not read {}: {error}", path.display()))
}
