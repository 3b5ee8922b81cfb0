//! What the service answers beside GraphQL, and how GraphQL sits on HTTP.
use serde_json::json;

use crate::{
    house::{House, OFFICE, story},
    world::{HUNAN_2009, unit},
};

async fn get(house: &House, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let response = house.http().get(house.url(path)).send().await.unwrap();
    (response.status().as_u16(), response.headers().clone(), response.text().await.unwrap())
}

story!(probes_and_metrics, |house| {
    assert_eq!(get(house, "/healthz").await.0, 200);
    assert_eq!(get(house, "/readyz").await.0, 200);
    unit(house, "市商务局", "440800").await;
    let (status, _, text) = get(house, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("zhixing_log_position"), "{text}");
    assert!(text.contains("zhixing_http_request_seconds"), "{text}");
    assert_eq!(get(house, "/nothing-here").await.0, 404);
});

story!(the_schema_can_be_fetched, |house| {
    let (status, headers, text) = get(house, "/graphql/schema.graphql").await;
    assert_eq!((status, text), (200, zhixing_api::graphql::sdl()));
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/plain"));
});

story!(graphiql_comes_from_the_service_alone, |house| {
    let (status, headers, page) = get(house, "/").await;
    assert_eq!(status, 200);
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"));
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(!page.contains("://"), "nothing is fetched from elsewhere");
    let mut fetched = 0;
    for mark in ["src=\"", "href=\""] {
        for path in page.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let (status, headers, body) = get(house, &format!("/{path}")).await;
            assert_eq!(status, 200, "{path}");
            assert!(!body.is_empty() && headers.contains_key("content-type"), "{path}");
            fetched += 1;
        }
    }
    assert!(fetched >= 3, "script, style and icon");
});

story!(the_first_query_of_graphiql_works, |house| {
    HUNAN_2009.import(house).await;
    let data = house.ok("", zhixing_api::server::FIRST_QUERY, json!({})).await;
    assert_eq!(data["plans"]["totalCount"], 1);
});

story!(get_reads_and_never_writes, |house| {
    let path = "/graphql?query=%7B%20plans%20%7B%20totalCount%20%7D%20%7D";
    let (status, headers, text) = get(house, path).await;
    assert_eq!((status, headers["cache-control"].to_str().unwrap()), (200, "no-store"));
    assert!(text.contains("\"totalCount\":0"), "{text}");
    let path = "/graphql?query=mutation%20%7B%20__typename%20%7D";
    let (status, headers, text) = get(house, path).await;
    assert_eq!((status, headers["allow"].to_str().unwrap()), (405, "POST"));
    assert!(text.contains("METHOD_NOT_ALLOWED"), "{text}");
});

story!(statuses_and_media_types_by_the_book, |house| {
    let post = async |content: &str, accept: &str, body: &str| {
        let request = house.http().post(house.url("/graphql")).bearer_auth(OFFICE).body(body.to_owned());
        let response = request.header("content-type", content).header("accept", accept).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        (response.status().as_u16(), kind.split(';').next().unwrap().to_owned())
    };
    let (json_type, graphql) = ("application/json", "application/graphql-response+json");
    let good = json!({ "query": "{ plans { totalCount } }" }).to_string();
    let bad = json!({ "query": "{ nothing }" }).to_string();
    assert_eq!(post(json_type, graphql, &good).await, (200, graphql.into()));
    assert_eq!(post(json_type, graphql, &bad).await, (400, graphql.into()));
    assert_eq!(post(json_type, json_type, &bad).await, (200, json_type.into()));
    assert_eq!(post(json_type, json_type, "{").await.0, 400);
    assert_eq!(post(json_type, json_type, "[]").await.0, 400);
    // What a page of another site may send without asking is not taken.
    assert_eq!(post("text/plain", json_type, &good).await.0, 415);
    assert_eq!(post("application/x-www-form-urlencoded", json_type, "query=%7Bplans%7D").await.0, 415);
    assert_eq!(post(json_type, "image/png", &good).await.0, 406);
});
