//! The task breakdown table: to read, as CSV and as XLSX, and back again.
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    house::{ANONYMOUS, House, OFFICE, story},
    world::{World, ZHANJIANG, draft, import, plan_id, task_input, text},
};

async fn download(house: &House, token: &str, path: &str) -> (u16, String, Vec<u8>) {
    let mut request = house.http().get(house.url(path));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let named = response.headers().get("content-disposition").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    (status, named.unwrap_or_default(), response.bytes().await.unwrap().to_vec())
}

story!(a_table_is_read_and_downloaded, |house| {
    ZHANJIANG.import(house).await;
    let query = "{ plans { nodes { code taskTable(first: 2, skip: 1) { totalRows rows { number title summary responsible } } } } }";
    let data = house.ok(ANONYMOUS, query, json!({})).await;
    let table = &data["plans"]["nodes"][0]["taskTable"];
    let tasks = ZHANJIANG.count("tasks");
    assert_eq!(
        (table["totalRows"].as_u64().unwrap(), table["rows"].as_array().unwrap().len()),
        (tasks as u64, 2)
    );
    let (status, named, bytes) = download(house, ANONYMOUS, "/plans/ZJ-2019-QUALITY-UPGRADE/tasks.csv").await;
    assert_eq!((status, named.as_str()), (200, "attachment; filename=\"ZJ-2019-QUALITY-UPGRADE-tasks.csv\""));
    let csv = String::from_utf8(bytes).unwrap();
    assert!(csv.starts_with("\u{feff}序号,工作任务,主要内容,责任部门\r\n"), "{csv}");
    assert!(csv.contains("牵头部门:"), "{csv}");
    let (status, named, bytes) =
        download(house, ANONYMOUS, "/plans/ZJ-2019-QUALITY-UPGRADE/tasks.xlsx").await;
    assert_eq!(
        (status, named.as_str()),
        (200, "attachment; filename=\"ZJ-2019-QUALITY-UPGRADE-tasks.xlsx\"")
    );
    assert!(bytes.starts_with(b"PK"));
    for path in ["/plans/NONE/tasks.csv", "/plans/a%22b/tasks.xlsx"] {
        assert_eq!(download(house, ANONYMOUS, path).await.0, 404, "{path}");
    }
    assert_eq!(download(house, "nonsense", "/plans/ZJ-2019-QUALITY-UPGRADE/tasks.csv").await.0, 401);
    // A draft is for officials.
    draft(house, "ZJ-SMALL").await;
    assert_eq!(download(house, ANONYMOUS, "/plans/ZJ-SMALL/tasks.csv").await.0, 404);
    assert_eq!(download(house, OFFICE, "/plans/ZJ-SMALL/tasks.csv").await.0, 200);
});

story!(what_is_downloaded_can_be_imported_again, |house| {
    let world = World::new(house).await;
    let input = json!({ "planId": world.plan, "number": "2", "assignment": "EXPLICIT", "content": {
        "kind": "TASK", "title": "=1+1 专项行动", "summary": "-加强\"检查\",回头看\n第二行", "dueOn": "2019-12-31" } });
    let second = text(&house.done(OFFICE, "registerTask", input).await["id"]);
    world.assign(house, &second).await;
    let target = draft(house, "ZJ-COPY").await;
    for (kind, prefix) in [("csv", ""), ("xlsx", "X")] {
        let (_, _, bytes) = download(house, OFFICE, &format!("/plans/ZJ-SMALL/tasks.{kind}")).await;
        let input = json!({ "source": format!("tasks.{kind}"), "base64": STANDARD.encode(&bytes), "plan": target,
            "numberPrefix": prefix });
        let payload = import(house, OFFICE, input, json!({})).await;
        assert_eq!(payload["errors"], json!([]), "{kind}: {payload}");
        assert_eq!((&payload["report"]["accepted"], &payload["report"]["rejected"]), (&json!(2), &json!([])));
    }
    let query = "query($id: ID!) { plan(id: $id) { taskTable { rows { title summary responsible } } } }";
    let table = async |plan: &str| {
        let data = house.ok(OFFICE, query, json!({ "id": plan })).await;
        data["plan"]["taskTable"]["rows"].as_array().unwrap().clone()
    };
    let (first, copies) = (table(&plan_id(house, "ZJ-SMALL").await).await, table(&target).await);
    assert_eq!(copies, [first.clone(), first].concat());
});

story!(what_is_due_is_downloaded, |house| {
    let world = World::new(house).await;
    let mut late = task_input(&world.plan, "2");
    late["content"]["dueOn"] = json!("2019-06-05");
    let late = text(&house.done(OFFICE, "registerTask", late).await["id"]);
    world.assign(house, &late).await;
    let lines = async |token: &str, path: &str| {
        let (status, named, bytes) = download(house, token, path).await;
        assert_eq!((status, named.as_str()), (200, "attachment; filename=\"due-items.csv\""), "{path}");
        let csv = String::from_utf8(bytes).unwrap();
        csv.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let overdue = lines(OFFICE, "/due-items.csv?overdue=true").await;
    assert_eq!(
        overdue,
        [
            "类别,事项,责任单位,地区,方案,期限,逾期天数",
            "任务,全面加强质量监管,市市场监管局、市农业农村局,湛江市,质量提升行动,2019-06-05,10",
        ]
    );
    assert_eq!(lines(OFFICE, "/due-items.csv").await.len(), 3);
    let narrowed = format!("/due-items.csv?plan=ZJ-SMALL&region=440800&unit={}&kind=TASK,REPORT", world.lead);
    assert_eq!(lines(&world.leader(), &narrowed).await.len(), 3);
    assert_eq!(lines(OFFICE, "/due-items.csv?region=620000").await.len(), 1);
    assert!(download(house, OFFICE, "/due-items.xlsx").await.2.starts_with(b"PK"));
    for (path, status) in [
        ("/due-items.csv?plan=NONE", 404),
        ("/due-items.csv?region=999999", 400),
        ("/due-items.csv?kind=KING", 400),
        ("/due-items.csv?unit=x", 400),
        ("/due-items.csv?colour=red", 400),
        ("/due-items.csv?overdue=maybe", 400),
    ] {
        assert_eq!(download(house, OFFICE, path).await.0, status, "{path}");
    }
    assert_eq!(download(house, ANONYMOUS, "/due-items.csv").await.0, 403);
    // The cockpit counts the same.
    let query =
        "query($id: ID!) { plan(id: $id) { cockpit { overdueByKind { kind count } reportsByStatus { count }
        localPlansByStatus { count } supervisionItemsByStatus { status count } } } }";
    let cockpit = house.ok(OFFICE, query, json!({ "id": world.plan })).await["plan"]["cockpit"].take();
    assert_eq!(cockpit["overdueByKind"], json!([{ "kind": "TASK", "count": 1 }]));
    let public = house.ok(ANONYMOUS, query, json!({ "id": world.plan })).await["plan"]["cockpit"].take();
    assert_eq!((&public["overdueByKind"], &public["reportsByStatus"]), (&json!(null), &json!(null)));
});
