//! The real binary in a folder of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{Answer, ask};
use super::{Twilio, within};

/// An API key that may do everything, as the configurations here name it.
const KEY: &str = "key-of-the-tests-0123456789abcdef";
/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A folder with files, before anything runs in it.
pub(crate) struct Prepared {
    folder: TempDir,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    /// The data folder.
    data: PathBuf,
    /// What the program is started through, by `exec`, so that the process stays
    /// the same.
    through: Vec<String>,
}

impl Prepared {
    /// A folder with these files, by relative path.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let variables = [
            ("RINGBACK_API_KEY", KEY),
            ("TWILIO_AUTH_TOKEN", super::twilio::TOKEN),
        ];
        let data = folder.path().join("data");
        let prepared = Self {
            folder,
            data,
            through: Vec::new(),
            variables: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            arguments: Vec::new(),
        };
        for (path, text) in files {
            prepared.write(path, text.as_bytes());
        }
        prepared
    }

    /// Takes a variable away.
    pub(crate) fn without(mut self, variable: &str) -> Self {
        self.variables.retain(|(name, _)| name != variable);
        self
    }

    /// Adds arguments of `serve`.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|one| (*one).to_owned()));
        self
    }

    /// Keeps the data somewhere else.
    pub(crate) fn data_in(mut self, data: &Path) -> Self {
        data.clone_into(&mut self.data);
        self.arguments(&["--data", &data.display().to_string()])
    }

    /// Starts the program through this command from now on.
    pub(crate) fn start_through(&mut self, command: Vec<String>) {
        self.through = command;
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file as editors do: beside it, and then over it.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        let beside = path.with_extension("tmp-of-the-editor");
        fs::write(&beside, bytes).expect("written");
        fs::rename(beside, path).expect("renamed");
    }

    /// The program, in this folder, with nothing of this process's environment but
    /// where programs are.
    fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_ringback");
        let mut command = match self.through.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(arguments).current_dir(self.path()).env_clear();
        for name in ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("NO_COLOR", "1");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(self.command(arguments));
        command.kill_on_drop(true);
        let ended = tokio::time::timeout(START, command.output()).await;
        ended
            .unwrap_or_else(|_| panic!("{arguments:?} did not end"))
            .expect("it ran")
    }

    /// Runs a command that must end with this exit code, and gives both its outputs.
    pub(crate) async fn ends(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments).await;
        let out = String::from_utf8(output.stdout).expect("UTF-8");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        let seen = output.status.code();
        assert_eq!(
            seen,
            Some(code),
            "{arguments:?}\n--- stdout\n{out}\n--- stderr\n{err}"
        );
        (out, err)
    }

    /// Starts the host and waits until it is ready.
    pub(crate) async fn start(self) -> Host {
        let mut host = Host {
            prepared: self,
            child: None,
            url: String::new(),
            key: KEY.to_owned(),
            local_key: String::new(),
            starts: 0,
        };
        host.launch().await;
        host
    }
}

/// A running host. Killed when dropped; what it printed is shown when its test
/// failed.
pub(crate) struct Host {
    prepared: Prepared,
    child: Option<Child>,
    url: String,
    key: String,
    local_key: String,
    starts: u32,
}

impl Host {
    /// A host with this configuration and these further files.
    pub(crate) async fn start(config: &str, files: &[(&str, &str)]) -> Self {
        let prepared = Prepared::new(files);
        prepared.write("ringback.toml", config.as_bytes());
        prepared.start().await
    }

    /// The folder and its commands.
    pub(crate) fn files(&self) -> &Prepared {
        &self.prepared
    }

    /// The same, for another way to start it.
    pub(crate) fn files_mut(&mut self) -> &mut Prepared {
        &mut self.prepared
    }

    /// The API key of the configuration.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The address it serves.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The key of `data/host.json`.
    pub(crate) fn local_key(&self) -> &str {
        &self.local_key
    }

    fn output(&self, which: &str) -> PathBuf {
        self.prepared
            .path()
            .join(format!("{which}-{}.log", self.starts))
    }

    /// Starts the process, and waits until it says that it is ready.
    async fn launch(&mut self) {
        self.begin();
        self.ready().await;
    }

    /// Starts the process, and waits for nothing.
    pub(crate) fn begin(&mut self) {
        self.starts += 1;
        let create = |path: PathBuf| File::create(path).expect("a log file");
        let mut arguments = vec!["serve"];
        arguments.extend(self.prepared.arguments.iter().map(String::as_str));
        let mut command = self.prepared.command(&arguments);
        command
            .stdout(create(self.output("stdout")))
            .stderr(create(self.output("stderr")));
        self.child = Some(command.spawn().expect("the program"));
    }

    /// Waits until the process that was begun says that it is ready.
    async fn ready(&mut self) {
        let id = self.child.as_ref().expect("a process").id();
        let (url, key) = within(START, "the host is ready", async || {
            if let Some(status) = self.child.as_mut()?.try_wait().expect("a child") {
                panic!(
                    "the host ended with {status} instead of starting\n{}",
                    self.log()
                );
            }
            let text = fs::read_to_string(self.prepared.data.join("host.json")).ok()?;
            let file: Value = serde_json::from_str(&text).ok()?;
            if file["pid"].as_u64() != Some(u64::from(id)) {
                // Of the process that was killed before.
                return None;
            }
            let url = file["url"].as_str().expect("an address").to_owned();
            let ready = ask("GET", &format!("{url}/readyz"), &[], Vec::new()).await?;
            (ready.status == 200).then(|| (url, file["key"].as_str().expect("a key").to_owned()))
        })
        .await;
        self.url = url;
        self.local_key = key;
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
    }

    /// Starts it again on the same data, after killing it when it still runs.
    pub(crate) async fn restart(&mut self) {
        self.kill9();
        self.launch().await;
    }

    /// Asks the process to end.
    pub(crate) fn terminate(&self) {
        let id = self.child.as_ref().expect("a running host").id();
        let script = format!("kill -TERM {id}");
        let status = Command::new("sh")
            .args(["-c", &script])
            .status()
            .expect("a shell");
        assert!(status.success());
    }

    /// Asks the process to end, and waits for it.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    /// Whether the process is gone.
    pub(crate) fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_none_or(|child| child.try_wait().expect("a child").is_some())
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.ended_within(Duration::from_secs(30)).await
    }

    /// Waits for the end of the process, for so long.
    pub(crate) async fn ended_within(&mut self, patience: Duration) -> ExitStatus {
        let child = self.child.as_mut().expect("a running host");
        let status = within(patience, "the process ends", async || {
            child.try_wait().expect("a child")
        })
        .await;
        self.child = None;
        status
    }

    /// What the present process printed so far: stdout, then stderr.
    pub(crate) fn log(&self) -> String {
        let read = |which| fs::read_to_string(self.output(which)).unwrap_or_default();
        format!("{}\n{}", read("stdout"), read("stderr"))
    }

    /// Waits until the log holds these words.
    pub(crate) async fn logs(&self, words: &str) {
        super::eventually(&format!("the log says {words:?}"), async || {
            self.log().contains(words).then_some(())
        })
        .await;
    }

    /// A request with the key, and a JSON body when there is one.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.ask_with(method, path, &[], body).await
    }

    /// The same with further headers.
    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut all = vec![("x-api-key", self.key.as_str())];
        all.extend(headers);
        if body.is_some() {
            all.push(("content-type", "application/json"));
        }
        let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let answer = ask(method, &format!("{}{path}", self.url), &all, bytes).await;
        answer.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// A request exactly as given; none when no answer came.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        ask(
            method,
            &format!("{}{path}", self.url),
            headers,
            body.to_vec(),
        )
        .await
    }

    /// The `data` of a GET that must work.
    pub(crate) async fn data(&self, path: &str) -> Value {
        self.ask("GET", path, None).await.expect(200).json()["data"].take()
    }

    /// A list's entries.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        self.data(path).await.as_array().expect("a list").clone()
    }

    /// A POST.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(body)).await
    }

    /// The texts to a contact, oldest first.
    pub(crate) async fn texts_to(&self, contact: &str) -> Vec<Value> {
        let path = format!(
            "/api/v1/messages?limit=100&contact={}",
            contact.replace('+', "%2B")
        );
        let mut all = self.list(&path).await;
        all.retain(|one| one["direction"] == "outbound");
        all.reverse();
        all
    }

    /// The runs for a contact, oldest first.
    pub(crate) async fn runs_for(&self, contact: &str) -> Vec<Value> {
        let path = format!(
            "/api/v1/runs?limit=100&contact={}",
            contact.replace('+', "%2B")
        );
        let mut all = self.list(&path).await;
        all.reverse();
        all
    }

    /// Waits until the contact's only text has this status.
    pub(crate) async fn text_becomes(&self, contact: &str, status: &str) -> Value {
        let what = format!("the text to {contact} is {status}");
        super::eventually(&what, async || {
            let texts = self.texts_to(contact).await;
            let [one] = texts.as_slice() else { return None };
            (one["status"] == status).then(|| one.clone())
        })
        .await
    }

    /// Waits until the contact's only run has this status.
    pub(crate) async fn run_becomes(&self, contact: &str, status: &str) -> Value {
        let what = format!("the run for {contact} is {status}");
        super::eventually(&what, async || {
            let runs = self.runs_for(contact).await;
            let [one] = runs.as_slice() else { return None };
            (one["status"] == status).then(|| one.clone())
        })
        .await
    }

    /// Reports a missed call through our own API.
    pub(crate) async fn miss(&self, from: &str) -> Answer {
        let body = serde_json::json!({ "type": "call.missed", "from": from, "to": super::OURS });
        self.post("/api/v1/events", &body).await
    }

    /// A host with the smallest useful workflow, at this Twilio.
    pub(crate) async fn with_text_back(twilio: &Twilio) -> Self {
        let config = super::config(twilio, "", "");
        Self::start(&config, &[("workflows/text-back.yaml", super::TEXT_BACK)]).await
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be gone already; there is nobody left to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!(
                "--- what the host printed (start {})\n{}",
                self.starts,
                self.log()
            );
        }
    }
}
