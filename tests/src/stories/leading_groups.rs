//! Leading groups: established, their office seated, members appointed and released, known of every day, public.
use serde_json::{Value, json};

use crate::{
    house::{ANONYMOUS, House, OFFICE, mutation, story},
    world::{World, text, unit},
};

/// The leading group of a province and the units it is made of.
struct Group {
    id: String,
    bureau: String,
    finance: String,
}

impl Group {
    async fn new(house: &House) -> Self {
        let bureau = unit(house, "省质监局", "440000").await;
        let finance = unit(house, "省财政厅", "440000").await;
        let id = establish(house, "质量强省工作领导小组").await;
        Self { id, bureau, finance }
    }

    fn input(&self, mut more: Value) -> Value {
        more["id"] = json!(self.id);
        more
    }

    async fn appoint(&self, house: &House, person: &str, post: &str, from: &str) {
        let input =
            self.input(json!({ "unitId": self.bureau, "person": person, "post": post, "from": from }));
        house.done(OFFICE, "appointLeadingGroupMember", input).await;
    }

    async fn release(&self, house: &House, number: i32, until: &str) {
        let input = self.input(json!({ "number": number, "until": until, "reason": "工作调动" }));
        house.done(OFFICE, "releaseLeadingGroupMember", input).await;
    }

    /// Who belongs to it on a day and where its office sits, as anybody sees it.
    async fn on(&self, house: &House, day: &str) -> (Vec<String>, Value) {
        let query = "query($id: ID!, $on: Date) { leadingGroup(id: $id) {
            members(on: $on) { person post unit { name } } office(on: $on) { unit { name } } } }";
        let data = house.ok(ANONYMOUS, query, json!({ "id": self.id, "on": day })).await;
        let said = |member: &Value| {
            let name = member["person"].as_str().unwrap_or_else(|| member["unit"]["name"].as_str().unwrap());
            format!("{} {name}", text(&member["post"]))
        };
        let members = data["leadingGroup"]["members"].as_array().unwrap().iter().map(said).collect();
        (members, data["leadingGroup"]["office"]["unit"]["name"].clone())
    }
}

async fn establish(house: &House, name: &str) -> String {
    let input = json!({ "name": name, "regionCode": "440000", "document": "粤府办〔2017〕1号", "establishedOn": "2017-01-10" });
    text(&house.done(OFFICE, "establishLeadingGroup", input).await["id"])
}

story!(who_belonged_is_known_of_every_day, |house| {
    let group = Group::new(house).await;
    let seat = group.input(json!({ "unitId": group.bureau, "from": "2017-01-10" }));
    house.done(OFFICE, "designateLeadingGroupOffice", seat).await;
    group.appoint(house, "张某", "HEAD", "2017-01-10").await;
    let finance = group.input(json!({ "unitId": group.finance, "post": "MEMBER", "from": "2017-02-01" }));
    house.done(OFFICE, "appointLeadingGroupMember", finance).await;
    let two = group
        .input(json!({ "unitId": group.bureau, "person": "李某", "post": "HEAD", "from": "2018-01-01" }));
    let refusal = house.refused(OFFICE, "appointLeadingGroupMember", two.clone(), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "one-head-at-a-time");
    group.release(house, 1, "2018-06-30").await;
    house.refused(OFFICE, "appointLeadingGroupMember", two, "RULE_VIOLATION").await;
    group.appoint(house, "李某", "HEAD", "2018-07-01").await;
    // The reform of institutions: the bureau is merged, the office moves.
    let market = unit(house, "省市场监管局", "440000").await;
    let merge = json!({ "id": group.bureau, "intoId": market, "reason": "机构改革" });
    house.done(OFFICE, "mergeUnit", merge).await;
    let gone = group.input(json!({ "unitId": group.bureau, "from": "2018-11-01" }));
    let refusal = house.refused(OFFICE, "designateLeadingGroupOffice", gone, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "unitId");
    let moved = group.input(json!({ "unitId": market, "from": "2018-11-01" }));
    house.done(OFFICE, "designateLeadingGroupOffice", moved).await;
    for (day, members, office) in [
        ("2017-01-09", vec![], Value::Null),
        ("2017-01-31", vec!["HEAD 张某"], json!("省质监局")),
        ("2018-06-30", vec!["HEAD 张某", "MEMBER 省财政厅"], json!("省质监局")),
        ("2018-07-01", vec!["HEAD 李某", "MEMBER 省财政厅"], json!("省质监局")),
        ("2018-11-01", vec!["HEAD 李某", "MEMBER 省财政厅"], json!("省市场监管局")),
    ] {
        let members: Vec<String> = members.into_iter().map(String::from).collect();
        assert_eq!(group.on(house, day).await, (members, office), "{day}");
    }
    let dissolve = group.input(json!({ "until": "2019-05-31", "reason": "职能调整" }));
    house.done(OFFICE, "dissolveLeadingGroup", dissolve).await;
    assert_eq!(group.on(house, "2019-05-31").await.0.len(), 2);
    assert_eq!(group.on(house, "2019-06-01").await, (vec![], Value::Null));
    let late = group.input(json!({ "person": "王某", "post": "MEMBER", "from": "2019-06-01" }));
    house.refused(OFFICE, "appointLeadingGroupMember", late, "NOT_ALLOWED_IN_STATE").await;
    let query = "query($id: ID!) { leadingGroup(id: $id) { status dissolvedOn offices { from until }
        memberships { number from until reason } } }";
    let shown = house.ok(ANONYMOUS, query, json!({ "id": group.id })).await["leadingGroup"].take();
    assert_eq!(
        shown["offices"],
        json!([{ "from": "2017-01-10", "until": "2018-10-31" }, { "from": "2018-11-01", "until": "2019-05-31" }])
    );
    assert_eq!(
        shown["memberships"],
        json!([
            { "number": 1, "from": "2017-01-10", "until": "2018-06-30", "reason": "工作调动" },
            { "number": 2, "from": "2017-02-01", "until": "2019-05-31", "reason": null },
            { "number": 3, "from": "2018-07-01", "until": "2019-05-31", "reason": null },
        ])
    );
});

story!(a_region_has_one_group_of_a_name, |house| {
    let group = Group::new(house).await;
    let again =
        json!({ "name": "质量强省工作领导小组", "regionCode": "440000", "establishedOn": "2018-01-01" });
    let refusal = house.refused(OFFICE, "establishLeadingGroup", again.clone(), "ALREADY_EXISTS").await;
    assert_eq!(refusal["field"], "name");
    let other = establish(house, "质量发展工作领导小组").await;
    let taken = json!({ "id": other, "name": "质量强省工作领导小组", "reason": "更名" });
    house.refused(OFFICE, "renameLeadingGroup", taken, "ALREADY_EXISTS").await;
    let rename = group.input(json!({ "name": "质量强省建设领导小组", "reason": "粤办函〔2019〕1号" }));
    house.done(OFFICE, "renameLeadingGroup", rename).await;
    house.done(OFFICE, "establishLeadingGroup", again.clone()).await;
    let query = "query($where: LeadingGroupWhere, $orderBy: LeadingGroupOrder) {
        leadingGroups(where: $where, orderBy: $orderBy) { totalCount nodes { name formerNames } } }";
    let by_name = json!({ "where": { "region": "440000", "text": "强省" }, "orderBy": { "field": "NAME" } });
    let data = house.ok(ANONYMOUS, query, by_name).await["leadingGroups"].take();
    let nodes = json!([{ "name": "质量强省工作领导小组", "formerNames": [] },
        { "name": "质量强省建设领导小组", "formerNames": ["质量强省工作领导小组"] }]);
    assert_eq!(data["nodes"], nodes);
    // Found by a member, whatever became of the membership.
    group.appoint(house, "张某", "LIAISON_OFFICER", "2017-03-01").await;
    group.release(house, 1, "2017-04-01").await;
    for (unit, count) in [(&group.bureau, 1), (&group.finance, 0)] {
        let data = house.ok(ANONYMOUS, query, json!({ "where": { "unit": unit } })).await;
        assert_eq!(data["leadingGroups"]["totalCount"], count);
    }
});

story!(bad_memberships_are_refused_by_name, |house| {
    let group = Group::new(house).await;
    group.appoint(house, "张某", "MEMBER", "2017-03-01").await;
    let appoint = |more: Value| group.input(more);
    for (action, input, field) in [
        ("appointLeadingGroupMember", appoint(json!({ "post": "MEMBER", "from": "2017-03-01" })), "person"),
        (
            "appointLeadingGroupMember",
            appoint(json!({ "person": " ", "post": "MEMBER", "from": "2017-03-01" })),
            "person",
        ),
        (
            "appointLeadingGroupMember",
            appoint(json!({ "person": "甲", "post": "MEMBER", "from": "2017-01-09" })),
            "from",
        ),
        (
            "releaseLeadingGroupMember",
            appoint(json!({ "number": 2, "until": "2017-03-01", "reason": "误" })),
            "number",
        ),
        (
            "releaseLeadingGroupMember",
            appoint(json!({ "number": 1, "until": "2017-02-28", "reason": "误" })),
            "until",
        ),
        (
            "releaseLeadingGroupMember",
            appoint(json!({ "number": 1, "until": "2017-03-01", "reason": "" })),
            "reason",
        ),
        ("dissolveLeadingGroup", appoint(json!({ "until": "2030-01-01", "reason": "误" })), "until"),
    ] {
        let refusal = house.refused(OFFICE, action, input, "INVALID_INPUT").await;
        assert_eq!(refusal["field"], field, "{action}");
    }
    let twice =
        appoint(json!({ "unitId": group.bureau, "person": "张某", "post": "MEMBER", "from": "2018-01-01" }));
    let refusal = house.refused(OFFICE, "appointLeadingGroupMember", twice, "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "memberships-do-not-overlap");
    let post = appoint(json!({ "person": "甲", "post": "EMPEROR", "from": "2018-01-01" }));
    let answer = house.ask(OFFICE, &mutation("appointLeadingGroupMember"), json!({ "input": post })).await;
    assert!(answer.body.get("errors").is_some(), "{}", answer.text);
    // Somebody of another province, somebody who is no office.
    let world = World::new(house).await;
    let member = appoint(json!({ "person": "甲", "post": "MEMBER", "from": "2018-01-01" }));
    for token in
        ["dev:hu:LEADING_GROUP_OFFICE:region=430000".to_owned(), world.leader(), ANONYMOUS.to_owned()]
    {
        house.refused(&token, "appointLeadingGroupMember", member.clone(), "NOT_PERMITTED").await;
    }
    let query = "query($id: ID!) { node(id: $id) { ... on LeadingGroup { availableActions { action } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": group.id })).await;
    let sdl = zhixing_api::graphql::sdl();
    let actions = data["node"]["availableActions"].as_array().unwrap();
    assert!(actions.len() >= 5, "{actions:?}");
    for action in actions {
        let action = text(&action["action"]);
        assert!(sdl.contains(&format!("\t{action}(")), "{action} is no mutation");
    }
});
