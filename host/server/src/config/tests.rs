use std::io;

use proptest::prelude::*;

use super::*;

mod messages;
mod sound;

/// An environment without a process.
#[derive(Default)]
struct Fake {
    vars: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, SecretFile>,
}

impl Environment for Fake {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<SecretFile> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        self.files.get(path).cloned().ok_or_else(missing)
    }
}

fn environment() -> Fake {
    let file = |text: &str, world_readable| SecretFile {
        text: text.to_owned(),
        world_readable,
    };
    Fake {
        vars: [
            ("RINGBACK_API_KEY", "k-1"),
            ("TWILIO_AUTH_TOKEN", "t-1"),
            ("TWILIO_ACCOUNT_SID", "AC9"),
            ("EMPTY", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        files: [
            (PathBuf::from("conf/token"), file("from-file\n", false)),
            (PathBuf::from("conf/open"), file("x", true)),
            (PathBuf::from("conf/blank"), file("\n", false)),
        ]
        .into(),
    }
}

fn read_with(source: &str, overrides: &Overrides) -> Result<Loaded, Vec<Diagnostic>> {
    parse(
        source,
        Path::new("conf/ringback.toml"),
        overrides,
        &environment(),
    )
}

fn read_plain(source: &str) -> Result<Loaded, Vec<Diagnostic>> {
    read_with(source, &Overrides::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(read_plain(&String::from_utf8_lossy(&bytes)));
    }

    /// Lines of a real file in any order, cut anywhere, with anything between.
    #[test]
    fn pieces_of_a_real_file_are_answered(
        pieces in prop::collection::vec((0..200usize, 0..90usize, ".{0,3}"), 0..40),
    ) {
        let lines: Vec<&str> = sound::WHOLE.lines().collect();
        let mut source = String::new();
        for (line, cut, noise) in pieces {
            let line = lines[line % lines.len()];
            source.extend(line.chars().take(cut));
            source.push_str(&noise);
            source.push('\n');
        }
        match read_plain(&source) {
            Ok(loaded) => loaded.warnings.iter().for_each(|w| drop(w.render())),
            Err(errors) => errors.iter().for_each(|e| drop(e.render())),
        }
    }
}
