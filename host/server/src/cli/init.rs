//! `init`: the files of a new installation, which works at once on the pretend
//! phone network. Writes nothing over anything.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::client::Failure;
use super::output;

/// Path and text of every file.
const FILES: [(&str, &str); 6] = [
    ("ringback.toml", include_str!("init/ringback.toml")),
    (
        "workflows/missed-call.yaml",
        include_str!("init/missed-call.yaml"),
    ),
    (
        "workflows/workflow.schema.json",
        include_str!("../../../../workflows/workflow.schema.json"),
    ),
    ("plugins/README", include_str!("init/plugins-readme.txt")),
    (".env.example", include_str!("init/env.example")),
    (".gitignore", include_str!("init/gitignore")),
];

/// `init [DIR]`
pub(super) fn init(dir: &Path, json: bool, out: &mut (dyn Write + Send)) -> Result<(), Failure> {
    let there: Vec<&str> = FILES
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| dir.join(path).symlink_metadata().is_ok())
        .collect();
    if !there.is_empty() {
        return Err(Failure::Input(format!(
            "nothing was written: {} has {} already",
            dir.display(),
            there.join(", ")
        )));
    }
    for (path, text) in FILES {
        let file = dir.join(path);
        write(&file, text).map_err(|error| {
            Failure::Input(format!("could not write {}: {error}", file.display()))
        })?;
    }
    let paths = FILES.map(|(path, _)| dir.join(path).display().to_string());
    if json {
        output::json(out, &json!({ "data": { "files": paths } }))?;
        return Ok(());
    }
    for path in &paths {
        writeln!(out, "wrote {path}")?;
    }
    writeln!(out, "\nNext:")?;
    if dir != Path::new(".") {
        writeln!(out, "  cd {}", dir.display())?;
    }
    writeln!(
        out,
        "  ringback check\n  ringback serve\n  \
         ringback event call.missed --from +15125550142 --to +15125550100   (in a second terminal)"
    )?;
    Ok(())
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut new = std::fs::OpenOptions::new();
    new.write(true).create_new(true);
    new.open(file)?.write_all(text.as_bytes())
}
