//! What strangers throw at the door is refused with a code, and leaves no trace.
//!
//! Only what no other story has: ids, cursors and values that are none are in `bad_input` and `pages`, worthless tokens
//! in `identity`, methods and media types in `surface`. How long refusals take, what memory they cost and what honest
//! clients notice is measured by `soak attack`.
use std::fmt::Write as _;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    house::{ANONYMOUS, House, OFFICE, story},
    world::{HUNAN_2009, draft},
};

/// Things where a few would do.
const MANY: usize = 1_000;
/// Sockets that say nothing: few enough for the file limit of a usual machine.
const IDLE: usize = 300;

fn address(house: &House) -> String {
    house.url("").trim_start_matches("http://").to_owned()
}

/// The status and the first code of what comes back for a body.
async fn thrown(house: &House, body: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> (u16, String) {
    let request = house.http().post(house.url("/graphql")).body(body);
    let request = request.header("content-type", "application/json");
    let request = request.header("accept", "application/graphql-response+json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let said: Value = answer.json().await.unwrap();
    (status, said["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned())
}

async fn refused(house: &House, what: &str, body: impl Into<reqwest::Body>, status: u16, code: &str) {
    let before = house.head();
    assert_eq!(thrown(house, body, &[]).await, (status, code.to_owned()), "{what}");
    assert_eq!(house.head(), before, "{what} left a trace");
}

async fn document(house: &House, what: &str, query: &str, code: &str) {
    refused(house, what, json!({ "query": query }).to_string(), 400, code).await;
}

fn many(each: impl Fn(usize) -> String) -> String {
    (0..MANY).fold(String::new(), |mut all, number| {
        write!(all, "{} ", each(number)).unwrap();
        all
    })
}

story!(documents_that_would_explode, |house| {
    let deep = format!("{}{}", "{ a ".repeat(2_000), "} ".repeat(2_000));
    document(house, "deep nesting", &deep, "LIMIT_EXCEEDED").await;
    let aliases = format!("{{ {} }}", many(|number| format!("a{number}: __typename")));
    document(house, "aliases", &aliases, "LIMIT_EXCEEDED").await;
    let directives = format!("{{ plans {} {{ totalCount }} }}", "@include(if: true) ".repeat(MANY));
    document(house, "directives", &directives, "LIMIT_EXCEEDED").await;
    let twice = "{ plans @include(if: true) @include(if: true) { totalCount } }";
    document(house, "a directive twice", twice, "GRAPHQL_VALIDATION_FAILED").await;
    let spread = format!("{{ {} }}", many(|_| "... @include(if: true) { __typename }".into()));
    document(house, "directives on many fields", &spread, "LIMIT_EXCEEDED").await;
    let circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
    document(house, "a circle", circle, "GRAPHQL_VALIDATION_FAILED").await;
    let bomb = (0..40).fold("{ ...F0 }".to_owned(), |text, level| {
        format!("{text} fragment F{level} on Query {{ ...F{0} ...F{0} }}", level + 1)
    });
    let bomb = bomb + " fragment F40 on Query { plans { totalCount } }";
    document(house, "a bomb", &bomb, "LIMIT_EXCEEDED").await;
    let (open, close) = ("fields { type { ".repeat(8), "} } ".repeat(8));
    let introspection = format!("{{ __schema {{ types {{ {open} name {close} }} }} }}");
    document(house, "introspection", &introspection, "LIMIT_EXCEEDED").await;
    let costly = "{ plans(first: 100) { nodes { tasks(first: 100) { nodes { history(first: 100) { nodes { id } } } } } } }";
    document(house, "costly pages", costly, "LIMIT_EXCEEDED").await;
    document(house, "null bytes", "{ plans\0 { totalCount } }", "GRAPHQL_PARSE_FAILED").await;
});

story!(bodies_that_are_none, |house| {
    let batch = Value::Array(vec![json!({ "query": "{ plans { totalCount } }" }); MANY]);
    refused(house, "a batch", batch.to_string(), 400, "BATCHING_NOT_SUPPORTED").await;
    refused(house, "no UTF-8", b"{\"query\":\"{ \xff\xc0\x80 }\"}".to_vec(), 400, "BAD_REQUEST").await;
    refused(house, "null bytes", b"{\"query\":\"{ plans { totalCount } }\"}\0".to_vec(), 400, "BAD_REQUEST")
        .await;
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(
        r#"{{ "query": "query($id: ID!) {{ node(id: $id) {{ id }} }}", "variables": {{ "id": {nested} }} }}"#
    );
    refused(house, "nested values", body, 400, "BAD_REQUEST").await;
    // A body that is unpacked before it is measured would be any size.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00".to_vec();
    let packed = thrown(house, gzip, &[("content-encoding", "gzip")]).await;
    assert_eq!(packed, (400, "BAD_REQUEST".into()));
});

story!(a_body_of_twenty_megabytes, |house| {
    // It is refused by its announced length, before any of it came.
    let address = address(house);
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        20 << 20
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let count = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
});

story!(a_cursor_of_somebody_else_opens_nothing, |house| {
    HUNAN_2009.import(house).await;
    let hidden = draft(house, "ZJ-SECRET").await;
    let query = "{ plans { edges { cursor node { id } } } }";
    let data = house.ok(OFFICE, query, json!({})).await;
    let edges = data["plans"]["edges"].as_array().unwrap();
    assert!(edges.iter().any(|edge| edge["node"]["id"] == json!(hidden)), "an official sees the draft");
    for edge in edges {
        for around in ["after", "before"] {
            let query = format!(
                "query($cursor: String) {{ plans({around}: $cursor) {{ totalCount nodes {{ id code }} }} }}"
            );
            let data = house.ok(ANONYMOUS, &query, json!({ "cursor": edge["cursor"] })).await;
            assert_eq!(data["plans"]["totalCount"], 1, "{around}");
            assert!(!data.to_string().contains(&hidden) && !data.to_string().contains("ZJ-SECRET"), "{data}");
        }
    }
});

story!(idle_sockets_keep_nobody_out, |house| {
    let address = address(house);
    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        if number % 2 == 1 {
            stream.write_all(b"POST /graphql HTTP/1.1\r\nHost: att").await.unwrap();
        }
        idle.push(stream);
    }
    let begun = std::time::Instant::now();
    let data = house.ok(ANONYMOUS, "{ plans { totalCount } }", json!({})).await;
    assert_eq!(data["plans"]["totalCount"], 0);
    assert!(begun.elapsed().as_secs() < 5, "{:?} while {} sockets idle", begun.elapsed(), idle.len());
});
