//! Every attack, and how it must be refused.
use std::{fmt::Write, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{issuer::Issuer, shot::Shot};

/// Codes that any shot may be answered with once its sender has asked for too much.
pub(super) const MEANWHILE: [&str; 2] = ["RATE_LIMITED", "TOO_MANY_OPERATIONS"];

/// Bytes of a body that is far too large.
const HUGE: usize = 20 << 20;
/// Things where a few would do.
const MANY: usize = 1_000;

/// One attack: what is sent, and the refusals (status and code) that it may get.
#[derive(Clone)]
pub(super) struct Attack {
    pub name: &'static str,
    pub shot: Shot,
    pub refusals: &'static [(u16, &'static str)],
}

const LIMIT: &[(u16, &str)] = &[(400, "LIMIT_EXCEEDED")];
const INVALID: &[(u16, &str)] = &[(400, "GRAPHQL_VALIDATION_FAILED")];
const UNPARSED: &[(u16, &str)] = &[(400, "GRAPHQL_PARSE_FAILED")];
const INPUT: &[(u16, &str)] = &[(400, "INVALID_INPUT")];
const INPUT_WHILE_RUN: &[(u16, &str)] = &[(200, "INVALID_INPUT")];
const BAD: &[(u16, &str)] = &[(400, "BAD_REQUEST")];
const LARGE: &[(u16, &str)] = &[(413, "PAYLOAD_TOO_LARGE")];
const TYPE: &[(u16, &str)] = &[(415, "UNSUPPORTED_MEDIA_TYPE")];
const STRANGER: &[(u16, &str)] = &[(401, "UNAUTHENTICATED")];

/// All of them.
pub(super) fn all(issuer: &Issuer) -> Vec<Attack> {
    let attack = |name, shot, refusals| Attack { name, shot, refusals };
    let mut attacks = vec![
        attack("deep nesting", document(&deep()), LIMIT),
        attack("1,000 aliases", document(&aliases()), LIMIT),
        attack("1,000 operations", batch(), &[(400, "BATCHING_NOT_SUPPORTED")]),
        attack("directive flood", document(&directives()), LIMIT),
        attack("circular fragments", document(CIRCLE), INVALID),
        attack("fragment bomb", document(&bomb()), LIMIT),
        attack("introspection flood", document(&introspection()), LIMIT),
        attack("costly pages", document(COSTLY), LIMIT),
        attack("deep variables", variables(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), BAD),
        attack("many errors", document(&format!("{{ {} }}", "x ".repeat(MANY))), INVALID),
        attack("20 MB body", post(JSON, &vec![b' '; HUGE]), LARGE),
        attack("20 MB in chunks", chunked(), LARGE),
        attack(
            "slow body",
            Shot::Dripping(head("Content-Length: 1000\r\n").into_bytes().into()),
            &[(408, "REQUEST_TIMEOUT")],
        ),
        attack("silent WebSocket", Shot::SilentSocket, &[(101, "4408")]),
        attack("invalid UTF-8", post(JSON, b"{\"query\":\"{ \xff\xfe\xc0\x80 }\"}"), BAD),
        attack(
            "compressed body",
            post("Content-Encoding: gzip\r\nContent-Type: application/json\r\n", GZIP),
            BAD,
        ),
        attack("null bytes", document("{ plans\0 { totalCount } }"), UNPARSED),
        attack("null bytes in values", variables(r#"{ "id": "A\u0000" }"#), INPUT),
        attack("GET mutation", get("mutation%20%7B%20__typename%20%7D"), &[(405, "METHOD_NOT_ALLOWED")]),
        attack("text/plain post", post("Content-Type: text/plain\r\n", READ.as_bytes()), TYPE),
        attack(
            "form post",
            post("Content-Type: application/x-www-form-urlencoded\r\n", b"query=%7B%7D"),
            TYPE,
        ),
        attack("forged cursor", cursor(), INPUT_WHILE_RUN),
        attack("forged id", variables(r#"{ "id": "AQEBlj0uAABwAIAAAAAAAAAB' or 1=1 --" }"#), INPUT),
        // Refused by HTTP itself, before there is a request that GraphQL could answer.
        attack("large headers", headers(), &[(431, "")]),
    ];
    for (name, token) in issuer.worthless() {
        let token = format!("{JSON}Authorization: Bearer {token}\r\n");
        attacks.push(attack(name, post(&token, READ.as_bytes()), STRANGER));
    }
    attacks
}

const JSON: &str = "Content-Type: application/json\r\n";
const READ: &str = r#"{ "query": "{ plans { totalCount } }" }"#;
const CIRCLE: &str =
    "{ ...A } fragment A on Query { ...B } fragment B on Query { ...C } fragment C on Query { ...A }";
const COSTLY: &str = "{ plans(first: 100) { nodes { tasks(first: 100) { nodes { history(first: 100) { nodes { id } } } } } } }";
/// The beginning of a gzip file.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00";

fn head(headers: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: application/graphql-response+json\r\n\
         Connection: close\r\n{JSON}{headers}\r\n"
    )
}

fn post(headers: &str, body: &[u8]) -> Shot {
    let mut bytes = format!(
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: application/graphql-response+json\r\n\
         Connection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    Shot::Bytes(bytes.into())
}

fn get(query: &str) -> Shot {
    let request =
        format!("GET /graphql?query={query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    Shot::Bytes(request.into_bytes().into())
}

fn request(body: &Value) -> Shot {
    post(JSON, body.to_string().as_bytes())
}

fn document(query: &str) -> Shot {
    request(&json!({ "query": query }))
}

/// Variables as they stand, which need not be JSON that any library would write.
fn variables(text: &str) -> Shot {
    let body =
        format!(r#"{{ "query": "query($id: ID!) {{ node(id: $id) {{ id }} }}", "variables": {text} }}"#);
    post(JSON, body.as_bytes())
}

fn deep() -> String {
    format!("{}{}", "{ a ".repeat(2_000), "} ".repeat(2_000))
}

fn numbered(each: impl Fn(usize) -> String) -> String {
    (0..MANY).fold(String::new(), |mut all, number| {
        let _ = write!(all, "{} ", each(number));
        all
    })
}

fn aliases() -> String {
    format!("{{ {} }}", numbered(|number| format!("a{number}: __typename")))
}

fn directives() -> String {
    format!("{{ plans {} {{ totalCount }} }}", "@include(if: true) ".repeat(MANY))
}

fn batch() -> Shot {
    request(&Value::Array(vec![json!({ "query": "{ plans { totalCount } }" }); MANY]))
}

/// Fragments that each name the next one twice.
fn bomb() -> String {
    let mut text = "{ ...F0 }".to_owned();
    for level in 0..40 {
        let _ = write!(text, " fragment F{level} on Query {{ ...F{0} ...F{0} }}", level + 1);
    }
    text + " fragment F40 on Query { plans { totalCount } }"
}

fn introspection() -> String {
    let levels = 8;
    format!(
        "{{ __schema {{ types {{ {} name {} }} }} }}",
        "fields { type { ".repeat(levels),
        "} } ".repeat(levels)
    )
}

/// A cursor of no connection, with what a careless server would put into its SQL.
fn cursor() -> Shot {
    let place = json!({ "o": "+name'; drop table events; --", "v": "x", "k": "00000000-0000-0000-0000-000000000000" });
    let cursor = URL_SAFE_NO_PAD.encode(place.to_string());
    document(&format!("{{ units(after: \"{cursor}\") {{ totalCount nodes {{ id }} }} }}"))
}

/// A body without announced length that does not end.
fn chunked() -> Shot {
    let mut bytes = head("Transfer-Encoding: chunked\r\n").into_bytes();
    let chunk = 64 << 10;
    for _ in 0..HUGE / chunk {
        bytes.extend_from_slice(format!("{chunk:x}\r\n").as_bytes());
        bytes.resize(bytes.len() + chunk, b' ');
        bytes.extend_from_slice(b"\r\n");
    }
    Shot::Bytes(bytes.into())
}

fn headers() -> Shot {
    let many = numbered(|number| format!("X-{number}: {}\r\n", "a".repeat(500))).replace("\r\n ", "\r\n");
    Shot::Bytes(Arc::from(head(&many).into_bytes()))
}
