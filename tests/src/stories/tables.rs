//! Task breakdown tables as officials keep them: CSV in two encodings and XLSX.
use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    house::{House, OFFICE, story},
    world::{HUNAN_2009, ZHANJIANG, draft, import, plan_id},
};

macro_rules! table {
    ($end:literal) => {
        ($end, include_bytes!(concat!("../../../reference/plans/zhanjiang-2019-annex", $end)))
    };
}
const TABLES: [(&str, &[u8]); 4] =
    [table!(".csv"), table!(".excel.csv"), table!(".gb18030.csv"), table!(".xlsx")];

fn job(name: &str, bytes: &[u8], plan: &str) -> Value {
    json!({ "source": format!("annex{name}"), "base64": STANDARD.encode(bytes), "plan": plan, "numberPrefix": "A" })
}

fn csv() -> String {
    String::from_utf8(TABLES[0].1.to_vec()).unwrap()
}

/// A refused file: its field and reason. Nothing was written.
async fn refused(house: &House, input: Value) -> (String, String) {
    let before = house.head();
    let payload = import(house, OFFICE, input, json!({})).await;
    let error = &payload["errors"][0];
    assert_eq!(error["__typename"], "InvalidInput", "{payload}");
    assert_eq!((&payload["position"], &payload["plan"]), (&Value::Null, &Value::Null));
    assert_eq!(house.head(), before, "a refused file left a trace");
    let text = |field: &str| error[field].as_str().unwrap().to_owned();
    (text("field"), text("reason"))
}

story!(the_annex_of_the_plan_stands_there_already, |house| {
    ZHANJIANG.import(house).await;
    let plan = plan_id(house, ZHANJIANG.code).await;
    let encodings = ["UTF-8", "UTF-8", "GB18030", "UTF-8"];
    for ((name, bytes), encoding) in TABLES.into_iter().zip(encodings) {
        let payload = import(house, OFFICE, job(name, bytes, &plan), json!({})).await;
        assert_eq!(payload["errors"], json!([]), "{name}: {payload}");
        let report = &payload["report"];
        let counts = ["rowsRead", "accepted", "unchanged"].map(|field| report[field].as_i64().unwrap());
        assert_eq!(counts, [30, 0, 30], "{name}");
        assert_eq!((&report["encoding"], &report["rejected"]), (&json!(encoding), &json!([])), "{name}");
        let again = import(house, OFFICE, job(name, bytes, &plan), json!({})).await;
        assert_eq!((&again["importedBefore"], &again["position"]), (&json!(true), &Value::Null), "{name}");
    }
    let query = "query($id: ID!) { plan(id: $id) { tasks { totalCount } } }";
    let data = house.ok(OFFICE, query, json!({ "id": plan })).await;
    assert_eq!(data["plan"]["tasks"]["totalCount"], json!(ZHANJIANG.count("tasks")));
});

story!(a_fresh_plan_takes_all_thirty_rows, |house| {
    for (at, (name, bytes)) in TABLES.into_iter().enumerate() {
        let plan = draft(house, &format!("ZJ-{at}")).await;
        let payload = import(house, OFFICE, job(name, bytes, &plan), json!({})).await;
        assert_eq!(payload["errors"], json!([]), "{name}: {payload}");
        let report = &payload["report"];
        let counts = ["rowsRead", "accepted", "unchanged"].map(|field| report[field].as_i64().unwrap());
        assert_eq!(counts, [30, 30, 0], "{name}");
        // Row 20 lacks 市 in a name; rows 28 and 29 have `:` where `;` belongs; the header is the first row of the file.
        let repaired = report["repaired"].as_array().unwrap();
        let mended =
            |entry: &&Value| entry["field"] == "责任部门" && entry["reading"] != "registered as a new unit";
        let rows: Vec<_> = repaired.iter().filter(mended).map(|entry| entry["row"].clone()).collect();
        assert_eq!(rows, [21, 29, 30], "{name}: {repaired:?}");
        let query = "query($id: ID!) { plan(id: $id) { tasks(first: 100) { nodes {
            number label title leadUnits { name } supportingUnits { name } } } } }";
        let data = house.ok(OFFICE, query, json!({ "id": plan })).await;
        let tasks = data["plan"]["tasks"]["nodes"].as_array().unwrap();
        let said = ZHANJIANG.json();
        let said = said["tasks"].as_array().unwrap();
        assert_eq!(tasks.len(), 30);
        for task in tasks {
            let row = said.iter().find(|row| row["number"] == task["number"]).unwrap();
            assert_eq!(task["title"], row["title"]);
            for list in ["leadUnits", "supportingUnits"] {
                let units = task[list].as_array().unwrap();
                let names: Value = units.iter().map(|unit| unit["name"].clone()).collect();
                assert_eq!(names, row[list], "{name} {}: {list}", row["number"]);
            }
        }
    }
});

story!(a_bad_row_keeps_the_others_out_unless_asked, |house| {
    let plan = draft(house, "ZJ-1").await;
    let before = house.head();
    let third = "牵头部门:市工业和信息化局;参与部门:市文化广电旅游体育局、市市场监管局。";
    let bad = csv().replacen(third, "", 1);
    assert_ne!(bad, csv());
    let mut input = job(".csv", bad.as_bytes(), &plan);
    let payload = import(house, OFFICE, input.clone(), json!({})).await;
    assert_eq!(payload["errors"][0]["code"], "INVALID_INPUT");
    assert_eq!((&payload["plan"], &payload["report"]["accepted"]), (&Value::Null, &json!(0)));
    let rejected = payload["report"]["rejected"].as_array().unwrap();
    assert_eq!(
        (rejected.len(), &rejected[0]["row"], &rejected[0]["field"]),
        (1, &json!(4), &json!("责任部门"))
    );
    assert_eq!(house.head(), before);
    input["takeGoodRows"] = json!(true);
    let payload = import(house, OFFICE, input, json!({})).await;
    assert_eq!((&payload["errors"], &payload["report"]["accepted"]), (&json!([]), &json!(29)));
    assert_eq!(payload["report"]["rejected"].as_array().unwrap().len(), 1);
    // The mended file adds the one row that was missing.
    let payload = import(house, OFFICE, job(".csv", csv().as_bytes(), &plan), json!({})).await;
    let report = &payload["report"];
    assert_eq!((&report["accepted"], &report["unchanged"]), (&json!(1), &json!(29)));
});

story!(a_changed_row_is_not_taken_silently, |house| {
    let plan = draft(house, "ZJ-1").await;
    import(house, OFFICE, job(".csv", csv().as_bytes(), &plan), json!({})).await;
    let changed = csv().replacen("提高农产品优质供给水平", "降低农产品优质供给水平", 1);
    let payload = import(house, OFFICE, job(".csv", changed.as_bytes(), &plan), json!({})).await;
    assert_eq!(payload["errors"][0]["code"], "INVALID_INPUT");
    assert_eq!(payload["report"]["rejected"][0]["field"], "工作任务");
});

/// An XLSX file whose sheet is eight million blanks in a few kilobytes.
fn zip_bomb() -> Vec<u8> {
    let mut file = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        ("[Content_Types].xml", b"<Types/>".to_vec()),
        ("xl/workbook.xml", b"<workbook/>".to_vec()),
        ("xl/worksheets/sheet1.xml", vec![b' '; 8 << 20]),
    ] {
        file.start_file(name, options).unwrap();
        file.write_all(&content).unwrap();
    }
    file.finish().unwrap().into_inner()
}

story!(what_is_no_table_is_refused_as_a_whole, |house| {
    let plan = draft(house, "ZJ-1").await;
    let korean = [0xB0, 0xA1, 0xB3, 0xAA, 0xB4, 0xD9, 0xB6, 0xF3, 0x2C, 0xB8, 0xB6, 0xB9, 0xD9].repeat(20);
    let files: [(&str, Vec<u8>); 13] = [
        ("nothing.csv", Vec::new()),
        ("blanks.csv", b" \r\n \t\n".to_vec()),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06".to_vec()),
        (
            "noise.csv",
            (0..4_096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect(),
        ),
        ("zeros.csv", vec![0; 4_096]),
        ("latin.csv", b"num\xe9ro,t\xe2che,contenu,unit\xe9\n1,\xe9t\xe9,\xe0,b".to_vec()),
        ("korean.csv", korean),
        ("half.csv", b"\xff\xfe\x00\xd8\x00\xd8".to_vec()),
        ("other.csv", "姓名,年龄\n张三,30\n".into()),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more".to_vec()),
        ("cut.xlsx", TABLES[3].1[..2_000].to_vec()),
        ("empty.xlsx", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        ("bomb.xlsx", zip_bomb()),
    ];
    for (name, bytes) in files {
        for good_rows in [false, true] {
            let mut input = job(name, &bytes, &plan);
            input["takeGoodRows"] = json!(good_rows);
            let (field, reason) = refused(house, input).await;
            assert_eq!(field, "text", "{name}: {reason}");
            assert!(reason.len() > 20, "{name} says what to do: {reason}");
        }
    }
});

story!(what_is_no_plan_is_refused_as_a_whole, |house| {
    let plan = draft(house, "ZJ-1").await;
    let whole = HUNAN_2009.text;
    let files = [
        "{".to_owned(),
        "{}".into(),
        "{\"schemaVersion\":\"9.0\"}".into(),
        whole[..whole.floor_char_boundary(whole.len() / 2)].into(),
        format!("{}{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)),
        whole.replacen("\"1.0\"", "\"2.0\"", 1),
        whole.replacen("\"periodEnd\"", "\"periodEnds\"", 1),
    ];
    for text in files {
        let input = json!({ "source": "plan.json", "text": text });
        let before = house.head();
        let payload = import(house, OFFICE, input, json!({})).await;
        assert_eq!(
            payload["errors"][0]["code"],
            "INVALID_INPUT",
            "{}: {payload}",
            &text[..20.min(text.len())]
        );
        assert_eq!(house.head(), before);
    }
    // Arguments that do not fit together.
    let content = json!({ "source": "a.csv", "text": csv() });
    let with = |name: &str, value: Value| {
        let mut input = content.clone();
        input[name] = value;
        input
    };
    assert_eq!(refused(house, content.clone()).await.0, "plan");
    assert_eq!(refused(house, with("base64", json!("QUJD"))).await.0, "text");
    assert_eq!(refused(house, json!({ "source": "a.csv" })).await.0, "text");
    assert_eq!(refused(house, json!({ "source": "a.csv", "base64": "***", "plan": plan })).await.0, "base64");
});

story!(a_name_or_prefix_out_of_bounds_is_refused_by_name, |house| {
    let plan = draft(house, "ZJ-1").await;
    for (field, value) in [
        ("source", json!("")),
        ("source", json!("长".repeat(201))),
        ("numberPrefix", json!("A".repeat(11))),
        ("numberPrefix", json!("附")),
        ("numberPrefix", json!("A ")),
    ] {
        let mut input = job(".csv", csv().as_bytes(), &plan);
        input[field] = value.clone();
        assert_eq!(refused(house, input).await.0, field, "{value}");
    }
});

story!(twenty_mebibytes_do_not_come_in, |house| {
    let plan = draft(house, "ZJ-1").await;
    let before = house.head();
    let body = json!({
        "query": "mutation($input: ImportData!) { importData(input: $input) { position } }",
        "variables": { "input": { "source": "big.csv", "text": "序号,".repeat(5 << 20), "plan": plan } },
    });
    let request = house.http().post(house.url("/graphql")).bearer_auth(OFFICE).json(&body);
    // The service answers before it has read it all: the answer or a closed line, but never a success.
    if let Ok(response) = request.send().await {
        assert_eq!(response.status(), 413);
        assert!(response.text().await.unwrap().contains("PAYLOAD_TOO_LARGE"));
    }
    assert_eq!(house.head(), before);
    let smaller = json!({ "source": "big.csv", "text": "a,".repeat(3_500_000), "plan": plan });
    let query =
        "mutation($input: ImportData!) { importData(input: $input) { position errors { code field } } }";
    let answer = house.ask(OFFICE, query, json!({ "input": smaller })).await;
    let errors = &answer.body["data"]["importData"]["errors"];
    assert_eq!(errors[0]["code"], "INVALID_INPUT", "{}", answer.text);
    assert_eq!(house.head(), before);
});
