//! Documents that are asked for by id, and questions about the schema.

use super::ws::ready;
use super::*;
use sha2::Digest;

const HELLO: &str = "query Hello($name: String!) { hello(name: $name) }";
const BUMP: &str = "mutation { bump(by: 1) }";

fn hash(text: &str) -> String {
    hex::encode(sha2::Sha256::digest(text))
}

fn documents(only: bool) -> Documents {
    let manifest = json!({ hash(HELLO): HELLO, "bump-1": BUMP });
    Documents::read(&manifest.to_string(), only).expect("a manifest")
}

async fn trusting(only: bool) -> Server {
    let guard = new_guard(Limits::default()).trusting(documents(only)).expect("valid documents");
    serve_guarded(guard, ValidationMode::Fast).await
}

async fn post(server: &Server, body: &Json) -> (u16, Json) {
    let answer = server.post().header("accept", "application/graphql-response+json").json(body).send();
    let answer = answer.await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_document_is_asked_for_by_its_id() {
    let server = trusting(false).await;
    let variables = json!({ "name": "you" });
    for id in [hash(HELLO), format!("sha256:{}", hash(HELLO)), hash(HELLO).to_uppercase()] {
        let (_, answer) = post(&server, &json!({ "documentId": id, "variables": variables })).await;
        assert_eq!(answer["data"]["hello"], "hello you", "{answer}");
    }
    let apollo = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash(HELLO) } });
    let (_, answer) = post(&server, &json!({ "extensions": apollo, "variables": variables })).await;
    assert_eq!(answer["data"]["hello"], "hello you");
    // By a name of its own or by its digest; over GET no mutation.
    for id in ["bump-1".to_owned(), hash(BUMP)] {
        assert!(post(&server, &json!({ "documentId": id })).await.1["data"]["bump"].is_i64());
    }
    let url = |id: &str| format!("{}?documentId={id}&variables=%7B%22name%22:%22you%22%7D", server.url());
    let answer = reqwest::get(url(&hash(HELLO))).await.unwrap();
    assert_eq!(answer.json::<Json>().await.unwrap()["data"]["hello"], "hello you");
    assert_eq!(reqwest::get(format!("{}?documentId=bump-1", server.url())).await.unwrap().status(), 405);
    // On a socket too.
    let mut client = ready(&server).await;
    let payload = json!({ "documentId": hash(HELLO), "variables": variables });
    client.send(&json!({ "id": "a", "type": "subscribe", "payload": payload })).await;
    assert_eq!(client.next().await["payload"]["data"]["hello"], "hello you");
    // Others are told in the words that clients know, and may send the text.
    let (status, answer) = post(&server, &json!({ "documentId": "other" })).await;
    assert_eq!((status, code_of(&answer)), (400, "PERSISTED_QUERY_NOT_FOUND"));
    assert_eq!(post(&server, &json!({ "query": "{ hello }" })).await.0, 200);
}

#[tokio::test]
async fn nothing_but_registered_documents_is_run_if_wanted() {
    let server = trusting(true).await;
    let variables = json!({ "name": "you" });
    for query in ["{ hello }", "{ __typename }", "mutation { bump(by: 2) }", &format!("{HELLO} ")] {
        let (status, answer) = post(&server, &json!({ "query": query, "variables": variables })).await;
        assert_eq!((status, code_of(&answer)), (400, "DOCUMENT_NOT_TRUSTED"), "{query}");
        // A good id does not help another text along.
        let both = json!({ "documentId": hash(HELLO), "query": query });
        assert_eq!(code_of(&post(&server, &both).await.1), "DOCUMENT_NOT_TRUSTED");
    }
    assert_eq!(server.counter.0.load(Ordering::SeqCst), 0);
    assert_eq!(code_of(&post(&server, &json!({ "documentId": "x" })).await.1), "PERSISTED_QUERY_NOT_FOUND");
    // The text of a registered document is as good as its id.
    for body in [json!({ "query": HELLO, "variables": variables }), json!({ "documentId": "bump-1" })] {
        assert_eq!(post(&server, &body).await.0, 200);
    }
    let mut client = ready(&server).await;
    client.subscribe("a", "{ hello }").await;
    assert_eq!(client.next().await["payload"][0]["extensions"]["code"], "DOCUMENT_NOT_TRUSTED");
    // None at all is a manifest too.
    let none = new_guard(Limits::default()).trusting(Documents::read("{}", true).unwrap()).unwrap();
    let server = serve_guarded(none, ValidationMode::Fast).await;
    assert_eq!(code_of(&server.query("{ hello }").await), "DOCUMENT_NOT_TRUSTED");
}

#[test]
fn a_manifest_is_checked_before_anything_is_served() {
    let read = |manifest: Json| Documents::read(&manifest.to_string(), false);
    assert!(matches!(Documents::read("[", false), Err(DocumentsError::NotAManifest(_))));
    assert!(matches!(read(json!({ "a": 1 })), Err(DocumentsError::NotAManifest(_))));
    assert!(matches!(read(json!({ "": BUMP })), Err(DocumentsError::BadId(_))));
    assert!(matches!(read(json!({ "质": BUMP })), Err(DocumentsError::BadId(_))));
    assert!(matches!(read(json!({ hash(HELLO): BUMP })), Err(DocumentsError::OtherDigest(_))));
    let many: serde_json::Map<_, _> = (0..10_001).map(|n| (n.to_string(), json!(BUMP))).collect();
    assert!(matches!(read(many.into()), Err(DocumentsError::TooMany)));
    for (text, reason) in [
        ("{ nothing }", "has no field `nothing`"),
        ("{ hello", "syntax error"),
        ("{ a: hello a: viewer }", "`a`"),
    ] {
        let documents = read(json!({ "the-one": text })).unwrap();
        let refused = new_guard(Limits::default()).trusting(documents).err().expect(text).to_string();
        assert!(refused.contains("not valid") && refused.contains(reason), "{refused}");
    }
}

#[tokio::test]
async fn the_schema_is_told_to_some() {
    let schema = "{ __schema { queryType { name } } }";
    let hidden = "query A { ...F } fragment F on Query { ... { __type(name: \"Task\") { name } } }";
    for (introspection, anybody, signed_in) in [
        (Introspection::Everybody, true, true),
        (Introspection::SignedIn, false, true),
        (Introspection::Nobody, false, false),
    ] {
        let guard = new_guard(Limits::default()).introspected_by(introspection);
        let server = serve_guarded(guard, ValidationMode::Fast).await;
        // Again, because a document that is known to be valid goes another way.
        for query in [schema, hidden, schema] {
            for (token, may) in [(None, anybody), (Some("Bearer good"), signed_in)] {
                let mut request = server.post().json(&json!({ "query": query }));
                if let Some(token) = token {
                    request = request.header("authorization", token);
                }
                let answer: Json = request.send().await.unwrap().json().await.unwrap();
                let code = if may { "none" } else { "INTROSPECTION_NOT_ALLOWED" };
                assert_eq!(code_of(&answer), code, "{introspection:?} {token:?} {query}");
            }
        }
        // Which type an answer has is no secret, and no name is told that was not asked for.
        assert_eq!(server.query("{ __typename }").await["data"]["__typename"], "Query");
        for query in ["{ hallo }", "{ task { titel } }", "{ hello(nam: 1) }", "{ taks { id } }"] {
            let message = server.query(query).await["errors"][0]["message"].as_str().unwrap().to_owned();
            for name in ["hello(", "`hello`", "title", "`name`", "tasks", "did you mean"] {
                let said = query.contains(name.trim_matches(['`', '(']));
                assert!(said || !message.to_lowercase().contains(name), "{query}: {message}");
            }
        }
    }
}
