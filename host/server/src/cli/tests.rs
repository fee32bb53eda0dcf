use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use ringback_core::model::Secret;
use ringback_core::workflow::{Definition, File, Workflow};
use serde_json::json;

use super::*;
use crate::config::{Overrides, SecretFile, Severity};

mod archive;
mod host;
mod letters;
mod local;

/// An environment without a process.
struct Vars;

impl Environment for Vars {
    fn var(&self, name: &str) -> Option<String> {
        (name == "RINGBACK_API_KEY").then(|| "key-1".to_owned())
    }

    fn file(&self, _: &Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// A parser that takes the first word of a file for its name, and `bad` for an
/// error.
struct Words;

impl WorkflowCheck for Words {
    fn check(&self, source: &str, file: &str, names: Option<&Names>) -> Checked {
        let mut problems = Vec::new();
        if source.contains("bad") {
            problems.push(Diagnostic::whole(file, "it is bad"));
        }
        if names.is_none() {
            let mut warning = Diagnostic::whole(file, "names cannot be known");
            warning.severity = Severity::Warning;
            problems.push(warning);
        }
        let id = source.split_whitespace().nth(1);
        let workflow = id.map(|id| Workflow {
            definition: Definition {
                id: id.to_owned(),
                ..Definition::default()
            },
            hash: String::new(),
            source: source.to_owned(),
            positions: Vec::new(),
            tests: Vec::new(),
        });
        Checked { workflow, problems }
    }

    fn together(&self, _: &[File<'_>]) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn schema(&self) -> Json {
        json!({ "title": "a workflow" })
    }
}

/// Every connector is there and wants nothing.
struct AnyConnector;

impl Connectors for AnyConnector {
    fn check(
        &self,
        connector: &str,
        _: &BTreeMap<String, Option<String>>,
    ) -> Result<Vec<String>, String> {
        match connector {
            "nowhere" => Err("there is no connector \"nowhere\"; there are: twilio".to_owned()),
            _ => Ok(Vec::new()),
        }
    }

    fn is_secret(&self, _: &str, setting: &str) -> bool {
        setting == "auth_token"
    }
}

impl Plugins for AnyConnector {
    fn load<'a>(
        &'a self,
        _: &'a mut Config,
    ) -> Later<'a, (Box<dyn Connectors + Send>, Vec<Diagnostic>)> {
        Box::pin(async { (Box::new(Self) as Box<dyn Connectors + Send>, Vec::new()) })
    }
}

/// Keys in memory.
#[derive(Default)]
struct Drawer(Mutex<Vec<KeyRecord>>);

impl OfflineKeys for Drawer {
    fn create<'a>(
        &'a self,
        _: &'a Path,
        name: &'a str,
        scopes: &'a [String],
    ) -> Later<'a, Result<KeyRecord, String>> {
        let record = KeyRecord {
            id: "key_1".to_owned(),
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            key: None,
            created_at: Some("2026-11-20T12:00:00Z".to_owned()),
        };
        self.0.lock().unwrap().push(record.clone());
        let key = Some("rb_secret".to_owned());
        Box::pin(async { Ok(KeyRecord { key, ..record }) })
    }

    fn list<'a>(&'a self, _: &'a Path) -> Later<'a, Result<Vec<KeyRecord>, String>> {
        let all = self.0.lock().unwrap().clone();
        Box::pin(async { Ok(all) })
    }

    fn revoke<'a>(&'a self, _: &'a Path, id: &'a str) -> Later<'a, Result<bool, String>> {
        let mut all = self.0.lock().unwrap();
        let before = all.len();
        all.retain(|key| key.id != id);
        let gone = all.len() < before;
        Box::pin(async move { Ok(gone) })
    }
}

/// Runs a command in a folder of its own; what it printed, what went wrong, and
/// its code. The folder's name reads DIR.
async fn run_in(folder: &Path, keys: &Drawer, line: &[&str]) -> String {
    let dir = folder.display().to_string();
    let data = folder.join("data").display().to_string();
    let mut arguments = vec!["ringback", "--data", &data];
    arguments.extend(line);
    let cli = Cli::read(arguments.iter().map(OsString::from)).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let seams = Seams {
        environment: &Vars,
        workflows: &Words,
        plugins: &AnyConnector,
        keys,
        archives: &crate::archives::Files,
        free_space: |_| Some(100 * 1_048_576),
    };
    let mut io = Io {
        out: &mut out,
        err: &mut err,
    };
    let code = run(&cli, seams, &mut io).await;
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&dir, "DIR");
    format!("{}{}exit {code}", text(out), text(err))
}

/// What a host was asked.
type Asked = Arc<Mutex<Vec<String>>>;

/// A host that answers each path with the same words, and writes down what it
/// was asked.
async fn fake_host(answers: &[(&str, u16, Json)]) -> (String, Asked) {
    let answers: Vec<(String, u16, String)> = answers
        .iter()
        .map(|(path, status, answer)| ((*path).to_owned(), *status, answer.to_string()))
        .collect();
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let key = headers.get("x-api-key").map(|key| key.to_str().unwrap());
        let body = String::from_utf8_lossy(&body);
        let line = format!("{method} {uri} [{}] {body}", key.unwrap_or_default());
        seen.lock().unwrap().push(line.trim_end().to_owned());
        let found = answers
            .iter()
            .find(|(path, ..)| path == uri.path())
            .cloned();
        async move {
            let (_, status, answer) = found.unwrap_or((
                String::new(),
                404,
                json!({ "error": { "code": "not_found", "message": "there is no such thing" } })
                    .to_string(),
            ));
            (StatusCode::from_u16(status).unwrap(), answer)
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, asked)
}

/// Runs a command against a host that answers so; what was printed, and then
/// what the host was asked.
async fn with_host(answers: &[(&str, u16, Json)], line: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let (url, asked) = fake_host(answers).await;
    let file = hostfile::HostFile::write(&data, &url, &Secret::new("local-key")).unwrap();
    let said = run_in(folder.path(), &Drawer::default(), line).await;
    drop(file);
    let asked = asked.lock().unwrap().join("\n");
    format!("{}\n--\n{asked}", said.replace(&url, "URL"))
}
