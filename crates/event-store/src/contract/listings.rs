//! Pages of rows by keyset, forward and backward, over columns that may be empty.
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::organisation::unit::RegisterUnit;

use super::{
    contract,
    database::Database,
    units::{UnitRow, order, registration},
};
use crate::{EventStore, Listing, Row, Sort, listing::Cursor};

contract! {
    pages_forward_and_backward_show_every_row_once
    a_page_is_stable_while_rows_come_in
    counts_and_tallies_agree_with_the_rows
}

const NAMES: [Option<&str>; 9] =
    [Some("乙局"), None, Some("甲局"), Some("甲局"), None, Some(""), Some("丙局"), None, Some("Z")];

async fn fill(store: &EventStore) {
    for (n, official_name) in NAMES.iter().enumerate() {
        // An empty text is no name; it stands for one that sorts first.
        let official_name =
            official_name.map(|name| if name.is_empty() { "0".to_owned() } else { name.to_owned() });
        let unit = RegisterUnit { official_name, ..registration(&format!("单位{}", (n * 5) % 9)) };
        store.execute::<UnitRow>(order(unit)).await.unwrap();
    }
}

fn listing(sort: Sort, limit: u64) -> Listing {
    Listing { filter: Condition::all(), sort, after: None, before: None, from_end: false, limit }
}

fn cursor(sort: Sort, row: &UnitRow) -> Cursor {
    let value = match sort.column {
        "official_name" => row.official_name.clone().map(Into::into),
        "name" => Some(row.name.clone().into()),
        _ => None,
    };
    Cursor { value, key: row.key() }
}

async fn forward(store: &EventStore, sort: Sort, limit: u64) -> Vec<Uuid> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let page = store.pool().page::<UnitRow>(Listing { after, ..listing(sort, limit) }).await.unwrap();
        keys.extend(page.rows.iter().map(Row::key));
        if !page.more {
            return keys;
        }
        after = page.rows.last().map(|row| cursor(sort, row));
    }
}

async fn backward(store: &EventStore, sort: Sort, limit: u64) -> Vec<Uuid> {
    let (mut keys, mut before) = (Vec::new(), None);
    loop {
        let listing = Listing { before, from_end: true, ..listing(sort, limit) };
        let page = store.pool().page::<UnitRow>(listing).await.unwrap();
        keys.splice(0..0, page.rows.iter().map(Row::key));
        if !page.more {
            return keys;
        }
        before = page.rows.first().map(|row| cursor(sort, row));
    }
}

async fn pages_forward_and_backward_show_every_row_once(db: &Database) {
    let store = db.store().await;
    fill(&store).await;
    let all: Vec<UnitRow> = store.pool().all(Condition::all(), 100).await.unwrap();
    for (column, nullable) in [("official_name", true), ("name", false), ("id", false)] {
        let mut expected = all.clone();
        // Empty values come last, equal values by key.
        expected.sort_by_key(|row| {
            let value = match column {
                "official_name" => row.official_name.clone(),
                "name" => Some(row.name.clone()),
                _ => Some(String::new()),
            };
            (value.is_none(), value, row.key())
        });
        let mut expected: Vec<Uuid> = expected.iter().map(Row::key).collect();
        for descending in [false, true] {
            let sort = Sort { column, nullable, descending };
            for limit in [1, 2, 3, 8, 9, 50] {
                assert_eq!(forward(&store, sort, limit).await, expected, "{sort:?} by {limit}");
                assert_eq!(backward(&store, sort, limit).await, expected, "{sort:?} by {limit}, backward");
            }
            expected.reverse();
        }
    }
}

async fn a_page_is_stable_while_rows_come_in(db: &Database) {
    let store = db.store().await;
    fill(&store).await;
    let sort = Sort { column: "name", nullable: false, descending: false };
    let first = store.pool().page::<UnitRow>(listing(sort, 4)).await.unwrap();
    assert!(first.more);
    // Before and behind the place where the reader stands.
    for name in ["单位00", "单位99"] {
        store.execute::<UnitRow>(order(registration(name))).await.unwrap();
    }
    let after = first.rows.last().map(|row| cursor(sort, row));
    let rest = store.pool().page::<UnitRow>(Listing { after, ..listing(sort, 50) }).await.unwrap();
    let names: Vec<&str> = first.rows.iter().chain(&rest.rows).map(|row| row.name.as_str()).collect();
    let expected =
        ["单位0", "单位1", "单位2", "单位3", "单位4", "单位5", "单位6", "单位7", "单位8", "单位99"];
    assert_eq!(names, expected);
}

async fn counts_and_tallies_agree_with_the_rows(db: &Database) {
    let store = db.store().await;
    fill(&store).await;
    let named = || Condition::all().add(Expr::col("official_name").is_not_null());
    assert_eq!(store.pool().count::<UnitRow>(named()).await.unwrap(), 6);
    assert_eq!(store.pool().count::<UnitRow>(Condition::all()).await.unwrap(), 9);
    let mut tally = store.pool().tally::<UnitRow>("official_name", named()).await.unwrap();
    tally.sort();
    let expected = [("0", 1), ("Z", 1), ("丙局", 1), ("乙局", 1), ("甲局", 2)];
    assert!(tally.iter().map(|(name, count)| (name.as_str(), *count)).eq(expected));
}
