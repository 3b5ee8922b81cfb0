use super::*;
use axum::http::HeaderValue;

fn accepting(accept: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))])
}

#[test]
fn the_form_is_the_first_that_there_is() {
    for (accept, wanted) in [
        ("text/event-stream", Some(Form::Stream)),
        ("text/html, application/x-ndjson;q=0.9", Some(Form::Lines)),
        ("application/json", Some(Form::Page)),
        ("*/*", Some(Form::Page)),
        ("text/html", None),
    ] {
        assert_eq!(form(&accepting(accept)).ok(), wanted, "{accept}");
    }
    assert_eq!(form(&HeaderMap::new()).ok(), Some(Form::Page));
}

fn read(query: &str, headers: &HeaderMap, is_stream: bool) -> Result<Wanted, Problem> {
    let uri = format!("/events?{query}").parse().unwrap();
    let Query(wish) = Query::<Wish>::try_from_uri(&uri).unwrap();
    wish.read(headers, is_stream)
}

#[test]
fn parameters_are_read_and_the_wrong_one_named() {
    let wanted =
        read("after=7&limit=10&wait=5&kinds=TASK,PLAN&region=440000", &HeaderMap::new(), false).unwrap();
    assert_eq!((wanted.after, wanted.limit, wanted.wait), (Some(7), Some(10), 5));
    assert_eq!(wanted.filter.kinds.len(), 2);
    for (query, field) in [
        ("after=-1", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=5001", "limit"),
        ("wait=56", "wait"),
        ("kinds=KING", "kinds"),
        ("types=Accepted", "types[0]"),
        ("subjects=x", "subjects"),
        ("units=x", "units"),
        ("region=1", "region"),
        ("statusChangesOnly=maybe", "statusChangesOnly"),
    ] {
        let problem = read(query, &HeaderMap::new(), false).unwrap_err();
        let body = format!("{problem:?}");
        assert!(body.contains(&format!("{field:?}")), "{query}: {body}");
    }
    let uri = "/events?since=7".parse().unwrap();
    assert!(Query::<Wish>::try_from_uri(&uri).is_err(), "a misspelled parameter is no parameter");
}

#[test]
fn a_stream_goes_on_behind_its_last_event() {
    let last =
        HeaderMap::from_iter([(HeaderName::from_static("last-event-id"), HeaderValue::from_static("9"))]);
    assert_eq!(read("after=7", &last, true).unwrap().after, Some(9));
    assert_eq!(read("after=7", &last, false).unwrap().after, Some(7));
}
