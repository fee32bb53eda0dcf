//! Commands that need no host.

use super::*;

async fn local(line: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &Drawer::default(), line).await
}

fn usage(line: &[&str]) -> String {
    let line = std::iter::once(&"ringback").chain(line);
    let error = Cli::read(line.map(OsString::from)).unwrap_err();
    format!("{error}exit {}", error.exit_code())
}

#[test]
fn the_definition_of_the_arguments_holds() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn nothing_means_serve() {
    for line in [&["ringback"][..], &["ringback", "--data", "d"]] {
        let cli = Cli::read(line.iter().map(OsString::from)).unwrap();
        assert!(matches!(cli.command, Some(Command::Serve(_))), "{line:?}");
    }
    let line = [
        "ringback",
        "serve",
        "--listen",
        "127.0.0.1:1",
        "--data",
        "d",
    ];
    let overrides = Cli::read(line.map(OsString::from)).unwrap().overrides();
    assert_eq!(overrides.listen, Some("127.0.0.1:1".parse().unwrap()));
    assert_eq!(overrides.data.as_deref(), Some(Path::new("d")));
}

#[test]
fn wrong_usage() {
    insta::assert_snapshot!(usage(&["serv"]), @r#"
error: unrecognized subcommand 'serv'

  tip: a similar subcommand exists: 'serve'

Usage: ringback [OPTIONS] [COMMAND]

For more information, try '--help'.
exit 2
"#);
    insta::assert_snapshot!(usage(&["serve", "--listen", "7070"]), @r#"
error: invalid value '7070' for '--listen <ADDRESS>': invalid socket address syntax

For more information, try '--help'.
exit 2
"#);
    insta::assert_snapshot!(usage(&["serve", "--public-url", "x"]), @r#"
error: invalid value 'x' for '--public-url <URL>': must be an address such as https://followups.example.com

For more information, try '--help'.
exit 2
"#);
    insta::assert_snapshot!(usage(&["event", "call.mised", "--from", "1", "--to", "2"]), @r#"
error: invalid value 'call.mised' for '<KIND>'
  [possible values: call.missed, call.completed, message.received]

  tip: a similar value exists: 'call.missed'

For more information, try '--help'.
exit 2
"#);
}

#[test]
fn help() {
    use clap::CommandFactory;
    // As wide as it is tested, whatever the terminal.
    let help = Cli::command().term_width(80).render_help();
    insta::assert_snapshot!(help, @r#"
A self-hosted runtime that follows up: missed calls, texts, waits, replies.

Usage: ringback [OPTIONS] [COMMAND]

Commands:
  serve          Run the host
  init           Write a configuration, a first workflow and a plugin folder
  check          Look at configuration and workflows, start nothing, report
                 everything at once
  test           Play the tests of workflow files, in virtual time; nothing is
                 sent
  simulate       Play a workflow through in virtual time, as a chat; nothing is
                 sent
  backtest       Play what has happened here through an edited file and the
                 version in service; nothing is sent
  doctor         What is wrong with this installation, and the addresses to give
                 to providers
  send           Send a text
  event          Tell the host that something happened
  runs           Workflow runs
  messages       Texts, and those that wait for somebody
  approvals      Texts that wait for a person's word, and the word
  campaigns      What came of campaigns, and the switch that holds them
  dead-letters   Texts that could not be sent, webhooks that could not be read
  why            Why the last texts to a number were sent, deferred or refused
  keys           API keys
  conversations  Threads with contacts
  export         Write everything the store holds into one file; no host may run
                 on it
  import         Make a store of an exported file, in a data folder that has
                 none
  compact        Give space that the store no longer needs back to the disk; no
                 host may run on it
  migrate        Move the store to a database server: not available yet
  schema         A JSON Schema, for editors

Options:
      --config <FILE>  The configuration file [default: ringback.toml, if there
                       is one] [env: RINGBACK_CONFIG]
      --data <DIR>     The folder of the store [default: as configured, or data]
                       [env: RINGBACK_DATA]
      --url <URL>      A running host, with its key in RINGBACK_API_KEY
                       [default: the one of the data folder] [env: RINGBACK_URL]
      --json           Print JSON
  -h, --help           Print help
  -V, --version        Print version
"#);
}

#[tokio::test]
async fn no_host() {
    insta::assert_snapshot!(local(&["runs", "list"]).await, @r#"
error: no host runs here: there is no DIR/data/host.json; start `ringback serve`, or name a host with --url
exit 3
"#);
    insta::assert_snapshot!(local(&["why", "5125550100"]).await, @r#"
error: no host runs here: there is no DIR/data/host.json; start `ringback serve`, or name a host with --url
exit 3
"#);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let file = hostfile::HostFile::write(&data, "http://127.0.0.1:1", &Secret::new("k"));
    let said = run_in(folder.path(), &Drawer::default(), &["runs", "list"]).await;
    insta::assert_snapshot!(said, @r#"
error: no host answers at http://127.0.0.1:1/
exit 3
"#);
    drop(file.unwrap());
    assert!(!data.join("host.json").exists());
}

#[cfg(unix)]
#[test]
fn the_host_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let _file = hostfile::HostFile::write(folder.path(), "http://a", &Secret::new("k")).unwrap();
    let metadata = std::fs::metadata(folder.path().join("host.json")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let address = hostfile::Address::read(folder.path()).unwrap();
    assert_eq!(
        (address.url.as_str(), address.key.as_str()),
        ("http://a", "k")
    );
}

#[tokio::test]
async fn keys_without_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let drawer = Drawer::default();
    let mut said = String::new();
    for line in [
        &["keys", "list"][..],
        &["keys", "create", "--name", "crm", "--scope", "send"],
        &["keys", "list"],
        &["keys", "list", "--json"],
        &["keys", "revoke", "key_2"],
        &["keys", "revoke", "key_1"],
    ] {
        said.push_str(&format!("$ {}\n", line.join(" ")));
        said.push_str(&run_in(folder.path(), &drawer, line).await);
        said.push('\n');
    }
    insta::assert_snapshot!(said, @r#"
$ keys list
There are no keys.
exit 0
$ keys create --name crm --scope send
rb_secret
Key key_1 for crm. It is not shown again.
exit 0
$ keys list
ID     NAME  SCOPES  CREATED
key_1  crm   send    2026-11-20T12:00:00Z
exit 0
$ keys list --json
{
  "data": [
    {
      "id": "key_1",
      "name": "crm",
      "scopes": [
        "send"
      ],
      "createdAt": "2026-11-20T12:00:00Z"
    }
  ]
}
exit 0
$ keys revoke key_2
error: there is no key "key_2"
exit 1
$ keys revoke key_1
Key key_1 is out of use.
exit 0
"#);
}

#[tokio::test]
async fn what_init_writes_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new");
    let new = target.display().to_string();
    let drawer = Drawer::default();
    let said = run_in(folder.path(), &drawer, &["init", &new]).await;
    insta::assert_snapshot!(said, @r#"
wrote DIR/new/ringback.toml
wrote DIR/new/workflows/missed-call.yaml
wrote DIR/new/workflows/workflow.schema.json
wrote DIR/new/plugins/README
wrote DIR/new/.env.example
wrote DIR/new/.gitignore

Next:
  cd DIR/new
  ringback check
  ringback serve
  ringback event call.missed --from +15125550142 --to +15125550100   (in a second terminal)
exit 0
"#);
    let again = run_in(folder.path(), &drawer, &["init", &new]).await;
    insta::assert_snapshot!(again, @r#"
error: nothing was written: DIR/new has ringback.toml, workflows/missed-call.yaml, workflows/workflow.schema.json, plugins/README, .env.example, .gitignore already
exit 1
"#);
    let file = target.join("ringback.toml").display().to_string();
    let checked = run_in(folder.path(), &drawer, &["check", "--config", &file]).await;
    insta::assert_snapshot!(checked, @r#"
DIR/new/ringback.toml, 1 workflow file: 0 errors, 0 warnings
exit 0
"#);
}

/// The account at Twilio that is commented out works when the comment goes.
#[tokio::test]
async fn the_other_connection_of_init_can_be_used() {
    let source = include_str!("../init/ringback.toml");
    let (before, rest) = source
        .split_once("[connections.main]\nconnector = \"simulator\"")
        .unwrap();
    let rest = rest.replace("# [conn", "[conn").replace("# conn", "conn");
    let rest = rest
        .replace("# account", "account")
        .replace("# auth_token", "auth_token");
    let rest = rest.replace("TWILIO_AUTH_TOKEN", "RINGBACK_API_KEY");
    let source = format!("{before}{rest}");
    let loaded = config::parse(&source, Path::new("a.toml"), &Overrides::default(), &Vars);
    let config = loaded.unwrap().config;
    assert_eq!(config.connections["main"].connector, "twilio");
    assert_eq!(config.connections["main"].secrets.len(), 1);
}

async fn check_files(files: &[(&str, &str)], line: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let line: Vec<String> = line
        .iter()
        .map(|word| word.replace("DIR", &folder.path().display().to_string()))
        .collect();
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    run_in(folder.path(), &Drawer::default(), &line).await
}

#[tokio::test]
async fn check() {
    let files = [
        (
            "ringback.toml",
            "business.name = \"B\"\n[connections.a]\nconnector = \"nowhere\"\n",
        ),
        ("flows/a.yaml", "name: same"),
        ("flows/b.yml", "name: same bad"),
        ("flows/c.txt", "bad"),
        ("flows/.d.yaml", "bad"),
    ];
    let line = [
        "check",
        "--config",
        "DIR/ringback.toml",
        "DIR/flows",
        "DIR/none",
    ];
    insta::assert_snapshot!(check_files(&files, &line).await, @r#"
DIR/ringback.toml:3:1: error: there is no connector "nowhere"; there are: twilio
  3 | connector = "nowhere"
    | ^^^^^^^^^

DIR/none: error: could not read it: No such file or directory (os error 2)

DIR/flows/a.yaml: warning: names cannot be known

DIR/flows/b.yml: error: it is bad

DIR/flows/b.yml: warning: names cannot be known

DIR/flows/b.yml: error: its name makes the id `same`, which DIR/flows/a.yaml has already

DIR/ringback.toml, 2 workflow files: 4 errors, 2 warnings
exit 1
"#);
    let sound = [
        ("ringback.toml", "business.name = \"B\""),
        ("workflows/a.yaml", "name: a"),
    ];
    let line = ["check", "DIR/ringback.toml"];
    insta::assert_snapshot!(check_files(&sound, &line).await, @r#"
DIR/ringback.toml, 1 workflow file: 0 errors, 0 warnings
exit 0
"#);
    let line = ["check", "--json", "DIR/workflows"];
    insta::assert_snapshot!(check_files(&sound, &line).await, @r#"
{
  "config": null,
  "files": 1,
  "errors": 0,
  "warnings": 1,
  "problems": [
    {
      "severity": "warning",
      "file": "DIR/workflows/a.yaml",
      "line": 0,
      "column": 0,
      "length": 1,
      "message": "names cannot be known",
      "source_line": ""
    }
  ],
  "schedules": []
}
exit 0
"#);
}

const TWILIO: &str = r#"
[server]
public_url = "https://followups.example.com"
[business]
name = "B"
[connections.main]
connector = "twilio"
[connections.sim]
connector = "simulator"
[connections.other]
connector = "bird"
[agents.a]
numbers = ["+15125550100"]
connection = "main"
calls = "missed"
[agents.b]
numbers = ["+15125550101"]
connection = "sim"
[agents.c]
numbers = ["+15125550102"]
connection = "other"
"#;

#[tokio::test]
async fn doctor() {
    let line = ["doctor", "--config", "DIR/ringback.toml"];
    let files = [("ringback.toml", TWILIO), ("workflows/a.yaml", "name a")];
    insta::assert_snapshot!(check_files(&files, &line).await, @r#"
ok    DIR/ringback.toml can be used
ok    the data folder DIR/data can be written
look  only 100 MiB are free for DIR/data
ok    providers call https://followups.example.com
look  no host runs here (there is no DIR/data/host.json)
ok    1 workflow file can be used

Connection main (twilio), Twilio console > Phone Numbers > Manage > Active numbers > +15125550100
  Messaging > A message comes in > Webhook, HTTP POST
    https://followups.example.com/hooks/main/text
  Voice > A call comes in > Webhook, HTTP POST
    https://followups.example.com/hooks/main/voice
  Voice > Call status changes > HTTP POST
    https://followups.example.com/hooks/main/call

Connection other (bird), at the provider: +15125550102
  incoming texts, POST
    https://followups.example.com/hooks/other/text
  call status, POST
    https://followups.example.com/hooks/other/call
  delivery reports, POST
    https://followups.example.com/hooks/other/status
exit 0
"#);
    let lan = TWILIO.replace("https://followups.example.com", "http://192.168.1.2:7070");
    let files = [("ringback.toml", lan.as_str()), ("data/host.json", "{}")];
    let said = check_files(&files, &line).await;
    assert!(said.contains("providers cannot reach it"), "{said}");
    let plain = TWILIO.replace("https:", "http:");
    let said = check_files(&[("ringback.toml", &plain)], &line).await;
    assert!(said.contains("is not https"), "{said}");
    let none = TWILIO.replace("public_url", "# public_url");
    let said = check_files(&[("ringback.toml", &none)], &line).await;
    assert!(said.contains("public_url is not set"), "{said}");
    let broken = [
        ("ringback.toml", TWILIO),
        ("workflows/a.yaml", "name a bad"),
    ];
    let said = check_files(&broken, &line).await;
    let words = "WRONG DIR/workflows/a.yaml: error: it is bad";
    assert!(said.contains(words) && said.ends_with("exit 1"), "{said}");
    let wrong = TWILIO.replace("numbers", "nmbers");
    let said = check_files(&[("ringback.toml", &wrong)], &line).await;
    assert!(said.contains("WRONG") && said.ends_with("exit 1"), "{said}");
}

#[tokio::test]
async fn schemas() {
    let said = local(&["schema", "workflow"]).await;
    assert!(said.contains("a workflow"), "{said}");
    let said = local(&["schema", "config"]).await;
    let schema: Json = serde_json::from_str(said.trim_end_matches("exit 0")).unwrap();
    // Every section and key of the file `init` writes is in it.
    let source: toml::Table = include_str!("../init/ringback.toml").parse().unwrap();
    for (name, section) in &source {
        let known = &schema["properties"][name];
        assert!(known.is_object(), "{name}");
        for (key, _) in section.as_table().unwrap() {
            let open = known["additionalProperties"].is_object();
            assert!(open || known["properties"][key].is_object(), "{name}.{key}");
        }
    }
}
