//! One attempt to bring something to an endpoint.
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::{
    Client, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
    redirect::Policy,
};

use super::patience::MOST_ASKED_FOR;
use crate::{
    public_address::PublicOnly,
    standard_webhooks::{ID, SIGNATURE, Secret, TIMESTAMP},
};

/// How long a receiver may take to answer.
const ANSWER: Duration = Duration::from_secs(15);
/// How long it may take to take up a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read and kept.
const KEPT: usize = 4_096;
/// Connections that are kept open to one endpoint.
const CONNECTIONS: usize = 64;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The beginning of its body, as text.
    pub body: String,
    /// How long it asked us to wait.
    pub retry_after: Option<Duration>,
}

/// An attempt and what came of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What the delivery was called.
    pub id: String,
    /// Where it was sent to.
    pub url: String,
    /// When it was signed and sent.
    pub at: DateTime<Utc>,
    /// The signatures that it bore.
    pub signatures: String,
    /// How long it took.
    pub took: Duration,
    /// What came back, or why nothing did.
    pub result: Result<Answer, String>,
}

/// What an attempt means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken,
    /// The endpoint is no more (410).
    Gone,
    /// It was not taken; the whole endpoint wants to be left alone for so long (429, 503).
    Later(Duration, String),
    /// It was not taken.
    Failed(String),
}

impl Attempt {
    /// What it means.
    pub fn verdict(&self) -> Verdict {
        let answer = match &self.result {
            Ok(answer) => answer,
            Err(reason) => return Verdict::Failed(reason.clone()),
        };
        let said = format!("it answered {}", answer.status);
        match (answer.status, answer.retry_after) {
            (200..=299, _) => Verdict::Taken,
            (410, _) => Verdict::Gone,
            (429 | 503, Some(wait)) => Verdict::Later(wait.min(MOST_ASKED_FOR), said),
            (300..=399, _) => Verdict::Failed(format!("{said}: redirects are not followed")),
            _ => Verdict::Failed(said),
        }
    }
}

/// Brings things to endpoints: to public addresses only, without following redirects.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client,
    addresses: PublicOnly,
    /// Whether endpoints may be spoken to without TLS.
    plain: bool,
}

impl Sender {
    /// A sender to these addresses. `plain` allows `http://`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(addresses: PublicOnly, plain: bool) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("zhixing/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            // A proxy of the surroundings would look names up by itself.
            .no_proxy()
            .referer(false)
            .dns_resolver(addresses.clone())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .pool_max_idle_per_host(CONNECTIONS)
            .build()?;
        Ok(Self { client, addresses, plain })
    }

    /// Signs and sends `body`, once.
    pub async fn send(
        &self,
        url: &str,
        id: &str,
        content_type: &'static str,
        body: bytes::Bytes,
        secrets: &[Secret],
        now: DateTime<Utc>,
    ) -> Attempt {
        let timestamp = now.timestamp();
        let signatures: Vec<String> =
            secrets.iter().map(|secret| secret.sign(id, timestamp, &body)).collect();
        let signatures = signatures.join(" ");
        let began = Instant::now();
        let result = match self.admit(url).await {
            Ok(url) => {
                let request = self.client.post(url).header(CONTENT_TYPE, content_type).header(ID, id);
                let request = request.header(TIMESTAMP, timestamp).header(SIGNATURE, &signatures).body(body);
                match request.send().await {
                    Ok(response) => Ok(answer(response, now).await),
                    Err(error) => Err(told(&error)),
                }
            }
            Err(reason) => Err(reason),
        };
        Attempt { id: id.to_owned(), url: url.to_owned(), at: now, signatures, took: began.elapsed(), result }
    }

    /// The address, if it may be spoken to. One that is written in numbers is asked for nowhere else.
    async fn admit(&self, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|error| format!("its address cannot be understood: {error}"))?;
        if url.scheme() != "https" && !(self.plain && url.scheme() == "http") {
            return Err("its address is not https".into());
        }
        let host = url.host_str().ok_or("its address has no host")?;
        let in_numbers = matches!(url.host(), Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)));
        if in_numbers {
            self.addresses.addresses(host).await.map_err(|refused| refused.to_string())?;
        }
        Ok(url)
    }
}

/// The beginning of an answer; the rest is not waited for.
async fn answer(mut response: reqwest::Response, now: DateTime<Utc>) -> Answer {
    let status = response.status();
    let retry_after = retry_after(response.headers(), status, now);
    let mut body = Vec::new();
    while body.len() < KEPT {
        // An answer that breaks off has been given all the same.
        let Ok(Some(chunk)) = response.chunk().await else { break };
        body.extend_from_slice(&chunk[..chunk.len().min(KEPT - body.len())]);
    }
    let body = String::from_utf8_lossy(&body).replace('\0', "\u{fffd}");
    Answer { status: status.as_u16(), body, retry_after }
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, status: StatusCode, now: DateTime<Utc>) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    (until.with_timezone(&Utc) - now).to_std().ok()
}

/// Why nothing came back, down to the cause.
fn told(error: &reqwest::Error) -> String {
    let mut text =
        if error.is_timeout() { "it did not answer in time" } else { "it could not be reached" }.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        if std::error::Error::source(deeper).is_none() {
            text = format!("{text}: {deeper}");
        }
        cause = std::error::Error::source(deeper);
    }
    text
}
