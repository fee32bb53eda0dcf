//! Talking to a running host. Owns how it is found and what its failures mean
//! for the exit code; knows no resource of the API.

use std::io;
use std::time::Duration;

use reqwest::{Method, Url};
use ringback_core::model::Secret;
use serde_json::Value as Json;

use super::Common;
use super::hostfile::{self, Address};
use crate::config::{self, Environment};

/// The most of an answer that is read, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;
/// How long an answer may take; the seeds' APIs wait up to 5 s for a provider.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the answer to something large may take.
const LONG: Duration = Duration::from_secs(900);

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The input is at fault.
    #[error("{0}")]
    Input(String),
    /// The command was used wrongly.
    #[error("{0}")]
    Usage(String),
    /// The host said no.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The host's words.
        message: String,
    },
    /// The host could not be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The host failed.
    #[error("{0}")]
    Host(String),
    /// Nobody reads what is printed.
    #[error("could not write the output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The input is at fault.
    pub(crate) fn input(message: String) -> Self {
        Self::Input(message)
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Input(_) => 1,
            Self::Refused { status, .. } if !matches!(status, 401 | 403 | 429) => 1,
            Self::Usage(_) => 2,
            Self::Refused { .. } | Self::Unreachable(_) | Self::Host(_) | Self::Output(_) => 3,
        }
    }
}

/// A running host.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    key: Option<Secret>,
}

impl Client {
    /// The host of `--url`, or the one that runs on the data folder.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(crate) fn find(common: &Common, environment: &dyn Environment) -> Result<Self, Failure> {
        let key = environment.var("RINGBACK_API_KEY");
        if let Some(url) = &common.url {
            let key = key.ok_or_else(|| {
                Failure::Usage("--url needs the host's key in RINGBACK_API_KEY".to_owned())
            })?;
            return Self::new(url, Some(Secret::new(key)));
        }
        let data = config::data_dir(common.config.as_deref(), common.data.as_deref());
        let file = Address::read(&data).ok_or_else(|| {
            let path = hostfile::path(&data);
            Failure::Unreachable(format!(
                "no host runs here: there is no {}; start `ringback serve`, or name a host with --url",
                path.display()
            ))
        })?;
        Self::new(&file.url, Some(Secret::new(file.key)))
    }

    /// A host at an address.
    ///
    /// # Errors
    ///
    /// The address is none.
    pub(crate) fn new(url: &str, key: Option<Secret>) -> Result<Self, Failure> {
        let base = config::public_url(url)
            .and_then(|url| Url::parse(&format!("{url}/")).map_err(|error| error.to_string()))
            .map_err(|wrong| Failure::Usage(format!("the host's address {url:?} {wrong}")))?;
        // Whoever comes first installs it; the second is not an error.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Failure::Host(format!("could not make an HTTP client: {error}")))?;
        Ok(Self { http, base, key })
    }

    /// Asks for something. Empty parameters are left out.
    ///
    /// # Errors
    ///
    /// The host's, or that there is none.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Json, Failure> {
        let mut url = self.url(path)?;
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            url.query_pairs_mut().append_pair(name, value);
        }
        self.ask(Method::GET, url, None).await
    }

    /// Does something.
    ///
    /// # Errors
    ///
    /// The host's, or that there is none.
    pub(crate) async fn post(&self, path: &[&str], body: &Json) -> Result<Json, Failure> {
        self.ask(Method::POST, self.url(path)?, Some(body)).await
    }

    /// Does something that may take its time.
    ///
    /// # Errors
    ///
    /// The host's, or that there is none.
    pub(crate) async fn post_patiently(&self, path: &[&str], body: &Json) -> Result<Json, Failure> {
        let http = self.http.post(self.url(path)?).timeout(LONG);
        self.send(http, Some(body)).await
    }

    /// Takes something away.
    ///
    /// # Errors
    ///
    /// The host's, or that there is none.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Json, Failure> {
        self.ask(Method::DELETE, self.url(path)?, None).await
    }

    /// Ids come from the command line: each becomes one segment.
    fn url(&self, path: &[&str]) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::Usage(format!("{} is no address of a host", self.base)))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    async fn ask(&self, method: Method, url: Url, body: Option<&Json>) -> Result<Json, Failure> {
        self.send(self.http.request(method, url), body).await
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
        body: Option<&Json>,
    ) -> Result<Json, Failure> {
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key.expose());
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let mut response = request.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(&error))? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(Failure::Host("the host's answer is too large".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        let answer: Option<Json> = serde_json::from_slice(&bytes).ok();
        if status.is_success() {
            return match answer {
                Some(answer) => Ok(answer),
                None if bytes.iter().all(u8::is_ascii_whitespace) => Ok(Json::Null),
                None => Err(Failure::Host(format!(
                    "{} answered, but not as a ringback host does",
                    self.base
                ))),
            };
        }
        let said = answer.as_ref().and_then(|answer| {
            // The second is how `/readyz` says it.
            let words = answer.pointer("/error/message").and_then(Json::as_str);
            let missing = answer.pointer("/missing").and_then(Json::as_array);
            let missing = missing.map(|all| all.iter().filter_map(Json::as_str));
            let missing = missing.map(|all| all.collect::<Vec<_>>().join("; "));
            words
                .map(str::to_owned)
                .or(missing.filter(|words| !words.is_empty()))
        });
        let status = status.as_u16();
        let said = said.unwrap_or_else(|| format!("the host answered {status}"));
        Err(match status {
            500.. => Failure::Host(said),
            401 => Failure::Refused {
                status,
                message: format!("the host does not know this key: {said}"),
            },
            _ => Failure::Refused {
                status,
                message: said,
            },
        })
    }

    fn lost(&self, error: &reqwest::Error) -> Failure {
        if error.is_connect() {
            return Failure::Unreachable(format!("no host answers at {}", self.base));
        }
        let why = if error.is_timeout() {
            "took too long"
        } else {
            "broke off"
        };
        Failure::Host(format!("the answer of {} {why}", self.base))
    }
}
