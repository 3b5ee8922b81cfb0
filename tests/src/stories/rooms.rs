//! Which room may look into which: domain ◄ event-store ◄ delivery ◄ api, domain ◄ vault ◄ api ◄ tests, nothing else.
use std::collections::BTreeSet;

const DOMAIN: &str = include_str!("../../../crates/domain/Cargo.toml");
const EVENT_STORE: &str = include_str!("../../../crates/event-store/Cargo.toml");
const VAULT: &str = include_str!("../../../crates/vault/Cargo.toml");
const DELIVERY: &str = include_str!("../../../crates/delivery/Cargo.toml");
const API: &str = include_str!("../../../crates/api/Cargo.toml");
const TESTS: &str = include_str!("../../Cargo.toml");

/// Names under a heading of a manifest, with the rest of their lines.
fn entries<'m>(manifest: &'m str, heading: &str) -> Vec<(&'m str, &'m str)> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(['.', '=', ' ']))
        .filter(|(name, _)| !name.starts_with('#') && !name.is_empty())
        .collect()
}

/// The rooms that a room builds on, tests included.
fn rooms(manifest: &str) -> BTreeSet<&str> {
    let headings = ["[dependencies]", "[dev-dependencies]", "[build-dependencies]"];
    let all = headings.iter().flat_map(|heading| entries(manifest, heading));
    all.filter_map(|(name, _)| name.strip_prefix("zhixing-")).collect()
}

#[test]
fn rooms_look_one_way_only() {
    assert_eq!(rooms(DOMAIN), BTreeSet::new());
    assert_eq!(rooms(EVENT_STORE), BTreeSet::from(["domain"]));
    // The keys know no log and the log no keys.
    assert_eq!(rooms(VAULT), BTreeSet::from(["domain"]));
    // What leaves the service knows nothing of how people come in.
    assert_eq!(rooms(DELIVERY), BTreeSet::from(["domain", "event-store"]));
    assert_eq!(rooms(API), BTreeSet::from(["domain", "event-store", "vault", "delivery"]));
    assert_eq!(rooms(TESTS), BTreeSet::from(["domain", "event-store", "vault", "delivery", "api"]));
}

#[test]
fn no_heading_escapes_the_reading() {
    for manifest in [DOMAIN, EVENT_STORE, VAULT, DELIVERY, API, TESTS] {
        for line in manifest.lines().filter(|line| line.starts_with('[') && line.contains("dependencies")) {
            let known = ["[dependencies]", "[dev-dependencies]", "[build-dependencies]"];
            assert!(known.contains(&line.trim()), "{line} is not looked at by these tests");
        }
    }
}

#[test]
fn the_rules_need_little() {
    let dependencies = entries(DOMAIN, "[dependencies]");
    let always: BTreeSet<&str> = dependencies
        .into_iter()
        .filter(|(_, rest)| !rest.contains("optional = true"))
        .map(|(name, _)| name)
        .collect();
    let little = ["chrono", "rust_decimal", "serde", "serde_json", "thiserror", "uuid"];
    assert_eq!(always, BTreeSet::from(little));
}
