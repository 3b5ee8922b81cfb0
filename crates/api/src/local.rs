//! Development tokens let anybody be anybody, so where they are taken only requests to this machine by its own name are
//! answered. A page of another site whose name was made to lead here (DNS rebinding) is of the same origin as this
//! service to the browser; but it must ask for its own name.
use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::protocol::error;

/// Answers only what is asked of this machine by a name of its own.
pub(crate) async fn only(request: Request, next: Next) -> Response {
    let said = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    // A request line with a whole address goes before the header (RFC 9112, 3.2.2); both must be right.
    let named = request.uri().authority().map(axum::http::uri::Authority::as_str);
    if [said, named].into_iter().flatten().all(is_local) {
        return next.run(request).await;
    }
    let message = "development tokens are taken here, so only requests to localhost are answered; behind a proxy set \
                   development_tokens = false";
    let refusal = error::error(error::HOST_NOT_LOCAL, message);
    let body = serde_json::json!({ "errors": [refusal] }).to_string();
    (StatusCode::MISDIRECTED_REQUEST, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body)
        .into_response()
}

/// Whether a host, with or without a port, is this machine by an address or name that no name server gives.
fn is_local(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or(("", rest)),
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let is_port =
        |port: &str| port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    (port.is_empty() || is_port(port)) && (name.eq_ignore_ascii_case("localhost") || is_loopback)
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.8.9.1:80",
            "[::1]:8080",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.example.cn",
            "evil.example.cn:8080",
            "localhost.evil.example.cn",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "[::1",
            "[::1]evil",
            "localhost:80evil",
            "evil@localhost",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
