//! A real OpenID provider on this machine: the one of `clients/oidc`.
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use zhixing_api::identity::settings::{IdentitySettings, ProviderSettings};

/// A provider that runs until it is dropped.
pub(crate) struct Provider {
    process: Child,
    pub(crate) issuer: String,
    http: reqwest::Client,
    _clients: tempfile::NamedTempFile,
}

/// Somebody who can get tokens: what they say, for how many seconds from now.
#[expect(clippy::needless_pass_by_value, reason = "tests write it in place")]
pub(crate) fn client(name: &str, claims: Value) -> Value {
    json!({ "client_id": name, "client_secret": "secret", "claims": claims, "audience": "zhixing" })
}

impl Provider {
    /// Starts a provider that knows these clients.
    pub(crate) async fn start(clients: &[Value]) -> Self {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../clients"));
        assert!(
            root.join("node_modules/oidc-provider").is_dir(),
            "the OpenID provider for tests is not installed: run clients/run --install"
        );
        let mut list = tempfile::NamedTempFile::new().unwrap();
        list.write_all(json!(clients).to_string().as_bytes()).unwrap();
        let mut process = Command::new(std::env::var_os("NODE").unwrap_or("node".into()))
            .arg(root.join("oidc/provider.mjs"))
            .arg("--clients")
            .arg(list.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is needed: run clients/run --install");
        let output = process.stdout.take().unwrap();
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).unwrap();
            line
        });
        let said: Value = serde_json::from_str(&line.await.unwrap()).expect("the provider did not start");
        let issuer = said["issuer"].as_str().unwrap().to_owned();
        Self { process, issuer, http: reqwest::Client::new(), _clients: list }
    }

    /// A token for this client.
    pub(crate) async fn token(&self, name: &str) -> String {
        let discovery = self.http.get(format!("{}/.well-known/openid-configuration", self.issuer));
        let discovery: Value = discovery.send().await.unwrap().json().await.unwrap();
        let request = self.http.post(discovery["token_endpoint"].as_str().unwrap());
        let answer = request
            .basic_auth(name, Some("secret"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// One of the routes that are for tests.
    pub(crate) async fn post(&self, path: &str) {
        let answer = self.http.post(format!("{}/test/{path}", self.issuer)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
    }

    /// How often keys were asked for.
    pub(crate) async fn asked(&self) -> u64 {
        let answer = self.http.get(format!("{}/test/requests", self.issuer)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["jwks"].as_u64().unwrap()
    }

    /// Settings that trust it under the name `gov`; keys are fresh for and asked for again after so many seconds.
    pub(crate) fn trusted(&self, fresh: u64, pause: u64) -> IdentitySettings {
        let provider = json!({ "name": "gov", "issuer": self.issuer, "audience": "zhixing",
            "keys_fresh_seconds": fresh, "keys_pause_seconds": pause,
            "roles": { "office": "LEADING_GROUP_OFFICE", "officer": "UNIT_OFFICER", "integrator": "INTEGRATOR" } });
        let provider: ProviderSettings = serde_json::from_value(provider).unwrap();
        let settings = IdentitySettings { providers: vec![provider] };
        settings.check().unwrap();
        settings
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
