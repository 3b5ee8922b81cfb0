//! A command twice, and a command only tried.
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    house::{OFFICE, OFFICE_TOO, mutation, story},
    world::{HUNAN_2009, World, draft, import, plan_content, task_content, task_input, unit},
};

story!(a_retry_gets_the_first_answer, |house| {
    let world = World::new(house).await;
    let leader = world.leader();
    let how = json!({ "commandId": "accept-1" });
    let first = house.act_so(&leader, "acceptTask", json!({ "id": world.task }), how.clone()).await;
    assert_eq!(first["errors"], json!([]));
    let head = house.head();
    let again = house.act_so(&leader, "acceptTask", json!({ "id": world.task }), how.clone()).await;
    assert_eq!(again, first, "the same answer, although the task can no longer be accepted");
    assert_eq!(house.head(), head);
    // Much later, and after a restart, it is still the answer of then.
    let progress = json!({ "id": world.task, "percent": 10, "note": "开始" });
    house.done(&leader, "reportTaskProgress", progress).await;
    house.restart().await;
    let much_later = house.act_so(&leader, "acceptTask", json!({ "id": world.task }), how).await;
    assert_eq!(much_later, first);
    assert_eq!(house.head(), head + 1);
});

story!(a_retry_of_a_creation_creates_once, |house| {
    let input = json!({ "name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800" });
    let how = json!({ "commandId": "7f3a" });
    let first = house.act_so(OFFICE, "registerUnit", input.clone(), how.clone()).await;
    assert_eq!(first["errors"], json!([]));
    let again = house.act_so(OFFICE, "registerUnit", input, how).await;
    assert_eq!((again, house.head()), (first, 1));
});

story!(another_command_may_not_use_the_id, |house| {
    let world = World::new(house).await;
    let how = json!({ "commandId": "x" });
    let first = json!({ "id": world.task, "content": task_content("一") });
    let answer = house.act_so(OFFICE, "amendTask", first.clone(), how.clone()).await;
    assert_eq!(answer["errors"], json!([]));
    let head = house.head();
    let others = [
        ("amendTask", json!({ "id": world.task, "content": task_content("二") })),
        ("cancelTask", json!({ "id": world.task, "reason": "不再需要" })),
        ("registerTask", task_input(&world.plan, "9")),
        ("issuePlan", json!({ "id": world.plan })),
    ];
    for (action, input) in others {
        let answer = house.act_so(OFFICE, action, input, how.clone()).await;
        let refusal = &answer["errors"][0];
        assert_eq!(refusal["__typename"], "CommandIdReused", "{action}: {answer}");
        assert_eq!(refusal["field"], "commandId");
    }
    let file = json!({ "source": HUNAN_2009.name, "text": HUNAN_2009.text });
    let answer = import(house, OFFICE, file, how.clone()).await;
    assert_eq!(answer["errors"][0]["code"], "COMMAND_ID_REUSED");
    assert_eq!(house.head(), head);
    // Another person's id is another id.
    let second = json!({ "id": world.task, "content": task_content("三") });
    let answer = house.act_so(OFFICE_TOO, "amendTask", second, how).await;
    assert_eq!((&answer["errors"], house.head()), (&json!([]), head + 1));
});

story!(ten_retries_at_once_have_one_effect, |house| {
    let world = World::new(house).await;
    let leader = world.leader();
    let commands = [
        ("acceptTask", json!({ "id": world.task })),
        ("reportTaskProgress", json!({ "id": world.task, "percent": 10, "note": "开始" })),
    ];
    for (action, input) in commands {
        let before = house.head();
        let how = json!({ "commandId": format!("ten-{action}") });
        let tries = (0..10).map(|_| house.act_so(&leader, action, input.clone(), how.clone()));
        let answers = join_all(tries).await;
        assert_eq!(house.head(), before + 1, "{action}: one effect");
        for answer in &answers {
            assert_eq!(answer["errors"], json!([]), "{action}");
            assert_eq!(answer, &answers[0], "{action}: one answer");
        }
    }
    let before = house.head();
    let how = json!({ "commandId": "ten-units" });
    let input = json!({ "name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800" });
    let tries = (0..10).map(|_| house.act_so(OFFICE, "registerUnit", input.clone(), how.clone()));
    let answers = join_all(tries).await;
    assert_eq!(house.head(), before + 1);
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer["errors"] == json!([])));
});

story!(a_refused_command_does_not_use_up_its_id, |house| {
    let world = World::new(house).await;
    let leader = world.leader();
    let progress = json!({ "id": world.task, "percent": 10, "note": "开始" });
    let how = json!({ "commandId": "early" });
    let early = house.act_so(&leader, "reportTaskProgress", progress.clone(), how.clone()).await;
    assert_eq!(early["errors"][0]["code"], "NOT_ALLOWED_IN_STATE");
    house.done(&leader, "acceptTask", json!({ "id": world.task })).await;
    let late = house.act_so(&leader, "reportTaskProgress", progress, how).await;
    assert_eq!(late["errors"], json!([]));
});

story!(a_dry_run_says_what_would_happen, |house| {
    let world = World::new(house).await;
    let leader = world.leader();
    let head = house.head();
    let dry = json!({ "dryRun": true, "commandId": "dry" });
    let trial = house.act_so(&leader, "acceptTask", json!({ "id": world.task }), dry.clone()).await;
    assert_eq!((&trial["errors"], &trial["position"]), (&json!([]), &Value::Null));
    assert_eq!(trial["object"]["status"], "ACCEPTED");
    let event = &trial["events"][0];
    assert_eq!((&event["type"], &event["version"]), (&json!("TaskAccepted"), &json!(3)));
    assert_eq!((&event["position"], &event["hash"]), (&Value::Null, &Value::Null));
    assert_eq!(house.head(), head);
    let query = "query($id: ID!) { task(id: $id) { status version } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    assert_eq!(data["task"], json!({ "status": "ASSIGNED", "version": 2 }));
    // Its id is free for the command itself.
    let how = json!({ "commandId": "dry" });
    let real = house.act_so(&leader, "acceptTask", json!({ "id": world.task }), how).await;
    assert_eq!((&real["errors"], &real["position"]), (&json!([]), &json!(head + 1)));
    assert_eq!(real["object"], trial["object"]);
});

story!(a_dry_run_is_refused_like_the_command, |house| {
    let world = World::new(house).await;
    let leader = world.leader();
    let taken_plan = json!({ "code": "ZJ-SMALL", "regionCode": "440800", "content": plan_content() });
    let taken_unit = json!({ "name": "市农业农村局", "kind": "DEPARTMENT", "regionCode": "440800" });
    let other = unit(house, "市商务局", "440800").await;
    let taken_name = json!({ "id": other, "name": "市农业农村局", "reason": "更名" });
    let head = house.head();
    let commands = [
        (OFFICE, "draftPlan", taken_plan, "ALREADY_EXISTS"),
        (OFFICE, "registerUnit", taken_unit, "ALREADY_EXISTS"),
        (OFFICE, "renameUnit", taken_name, "ALREADY_EXISTS"),
        (OFFICE, "registerTask", task_input(&world.plan, "1"), "ALREADY_EXISTS"),
        (OFFICE, "acceptTask", json!({ "id": world.task }), "NOT_PERMITTED"),
        (OFFICE, "verifyTaskCompletion", json!({ "id": world.task }), "NOT_ALLOWED_IN_STATE"),
        (
            &leader,
            "reportTaskProgress",
            json!({ "id": world.task, "percent": 5, "note": "x" }),
            "NOT_ALLOWED_IN_STATE",
        ),
        (OFFICE, "cancelTask", json!({ "id": world.task, "reason": "" }), "INVALID_INPUT"),
        (OFFICE, "acceptTask", json!({ "id": other }), "INVALID_INPUT"),
    ];
    for (token, action, input, code) in commands {
        if action == "acceptTask" && code == "INVALID_INPUT" {
            // An id of another kind is refused before anything runs.
            let variables = json!({ "input": input, "dryRun": true });
            let answer = house.ask(token, &mutation(action), variables).await;
            assert_eq!(answer.body["errors"][0]["extensions"]["code"], code);
            continue;
        }
        let dry = house.act_so(token, action, input.clone(), json!({ "dryRun": true })).await;
        assert_eq!(dry["errors"][0]["code"], code, "{action}");
        let real = house.act(token, action, input).await;
        assert_eq!(dry, real, "{action}: a trial says what the command says");
    }
    assert_eq!(house.head(), head);
});

story!(a_whole_list_of_trials_leaves_no_trace, |house| {
    let plan = draft(house, "ZJ-DRAFT").await;
    let head = house.head();
    for (action, input) in [
        ("issuePlan", json!({ "id": plan })),
        ("registerTask", task_input(&plan, "1")),
        ("recordPlanDuties", json!({ "id": plan, "reportingDuties": [], "oneOffDuties": [] })),
        ("registerUnit", json!({ "name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800" })),
    ] {
        for _ in 0..2 {
            let trial = house.act_so(OFFICE, action, input.clone(), json!({ "dryRun": true })).await;
            assert_eq!(trial["errors"], json!([]), "{action}: what was only tried stands in nobody's way");
        }
    }
    assert_eq!(house.head(), head);
});
