//! An identity provider that the attacked service trusts: its key, and tokens with and without worth.
use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::Outcome;

const KEY: &str = "soak";
/// Far beyond every soak: the first second of 2100.
const LATER: u64 = 4_102_444_800;

/// A provider that answers until it is dropped.
pub(super) struct Issuer {
    address: SocketAddr,
    key: SigningKey,
    answering: JoinHandle<()>,
}

impl Issuer {
    pub(super) async fn start() -> Outcome<Self> {
        // Whose tokens a service of this one run takes is no secret.
        let key = SigningKey::from_bytes(&[7; 32]);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let public = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        let answering = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever goes before the answer asks again.
                let _ = answer(stream, address, &public).await;
            }
        });
        Ok(Self { address, key, answering })
    }

    /// What makes a service trust it.
    pub(super) fn settings(&self) -> Vec<(String, String)> {
        let issuer = format!("http://{}", self.address);
        let provider = format!("[{{name=\"soak\",issuer=\"{issuer}\",audience=\"zhixing\"}}]");
        vec![("ZHIXING_IDENTITY__PROVIDERS".into(), provider)]
    }

    /// A token of an honest official.
    pub(super) fn token(&self) -> String {
        self.made("EdDSA", KEY, LATER)
    }

    /// Tokens of no worth, each with its name.
    pub(super) fn worthless(&self) -> Vec<(&'static str, String)> {
        let good = self.token();
        let unsigned = self.made("none", KEY, LATER);
        let (claims, _) = unsigned.rsplit_once('.').unwrap_or_default();
        vec![
            ("expired token", self.made("EdDSA", KEY, 1_000_000_000)),
            ("alg=none token", format!("{claims}.")),
            ("HS256 token", self.made("HS256", KEY, LATER)),
            ("unknown key's token", self.made("EdDSA", "made-up", LATER)),
            ("altered token", format!("{}AAAA", &good[..good.len() - 4])),
            ("16 KiB token", "a".repeat(16 << 10)),
        ]
    }

    fn made(&self, algorithm: &str, key: &str, until: u64) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": algorithm, "typ": "JWT", "kid": key }));
        let claims =
            part(json!({ "iss": format!("http://{}", self.address), "aud": "zhixing", "sub": "soak",
            "roles": "LEADING_GROUP_OFFICE ADMINISTRATOR", "region": "100000", "exp": until }));
        let signature = self.key.sign(format!("{header}.{claims}").as_bytes());
        format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn answer(mut stream: TcpStream, address: SocketAddr, public: &str) -> std::io::Result<()> {
    let mut head = vec![0; 4_096];
    let count = stream.read(&mut head).await?;
    let body = if head[..count].starts_with(b"GET /.well-known/") {
        json!({ "issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/keys") })
    } else {
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY, "x": public }] })
    };
    let body = body.to_string();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    stream.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    stream.shutdown().await
}
