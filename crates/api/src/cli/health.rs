//! Asks a running service whether it is ready: for container health checks, without another program.
use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Failure, screen};

const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of the answer that are looked at.
const ANSWER: u64 = 1_024;

pub(super) async fn ask(url: &str) -> Result<(), Failure> {
    let (host, path) = url
        .strip_prefix("http://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "readyz")))
        .ok_or_else(|| Failure::Said("the address must begin with http://".into()))?;
    let status = timeout(PATIENCE, status(host, path))
        .await
        .map_err(|_| Failure::Said(format!("{host} does not answer within five seconds")))?
        .map_err(|error| Failure::said(&format!("{host} cannot be reached"), error))?;
    if status == "200" {
        screen::say("ready");
        return Ok(());
    }
    Err(Failure::Said(format!("{host} answers with status {status}")))
}

async fn status(host: &str, path: &str) -> std::io::Result<String> {
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.split(' ').nth(1).unwrap_or("unknown").to_owned())
}
