//! Whoever asks by whatever way is shown exactly what `policy::sight` says: nothing outside their scope, and all of it.
//!
//! Objects of every kind are drawn at random (regions, statuses, plans, units) and written as rows with their first event.
//! People are drawn at random too. What they get of every list, `nodes`, relation, history, the timeline, the stream of
//! changes, what is due and the downloads is compared with the pure rule over all rows.
use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::vec,
    prelude::*,
    sample::subsequence,
    strategy::ValueTree,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sea_query::Condition;
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::block_in_place};
use uuid::Uuid;
use zhixing_api::graphql::{
    assessment::Assessment, assessment_scheme::AssessmentScheme, data_import::DataImport, due_item::DueItem,
    event_subscription::EventSubscription, indicator::Indicator, leading_group::LeadingGroup,
    local_plan::LocalPlan, plan::Plan, report::Report, reporting_duty::ReportingDuty, role_grant::RoleGrant,
    service_key::ServiceKey, supervision_item::SupervisionItem, survey::Survey, task::Task, unit::Unit,
    violation_report::ViolationReport,
};
use zhixing_domain::{
    Aggregate, Id, Kind, RegionCode, Role, Viewer,
    id::{GlobalId, Key},
    lifecycle::Status,
    performance::{
        assessment::AssessmentStatus, assessment_scheme::AssessmentSchemeStatus, survey::SurveyStatus,
    },
    policy::{self, AuthenticationMethod, Seen},
    programme::{plan::PlanStatus, task::TaskStatus},
};
use zhixing_event_store::{
    Recorded, View,
    append::{Append, Extension, Named},
    view::WriteRow,
};

use crate::{
    follow::Socket,
    house::{House, story},
    stories::{access_matrix, assessments::Year},
};

/// Objects of each kind.
const OF_A_KIND: usize = 14;
/// People who ask.
const PEOPLE: u32 = 12;
/// A country, two of its provinces, and what lies in them.
const REGIONS: [&str; 8] = ["100000", "440000", "440800", "440881", "440882", "620000", "620100", "620102"];
const ACTORS: [&str; 3] = ["wei", "li", "chen"];

/// What is drawn of an object: numbers that choose.
#[derive(Clone, Debug)]
struct Draw {
    region: usize,
    status: usize,
    plan: usize,
    task: Option<usize>,
    units: [usize; 2],
    actor: usize,
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let draw = (
        0..REGIONS.len(),
        0..100_usize,
        0..100_usize,
        any::<Option<u8>>(),
        [0..100_usize, 0..100],
        0..3_usize,
    )
        .prop_map(|(region, status, plan, task, units, actor)| Draw {
            region,
            status,
            plan,
            task: task.map(usize::from),
            units,
            actor,
        });
    vec(draw, OF_A_KIND * Kind::ALL.len())
}

/// What is drawn of a person.
#[derive(Clone, Debug)]
struct Person {
    actor: usize,
    roles: Vec<Role>,
    unit: Option<usize>,
    region: Option<usize>,
}

fn people() -> impl Strategy<Value = Person> {
    let roles: Vec<Role> = Role::ALL.iter().copied().filter(|role| *role != Role::Scheduler).collect();
    let unit = prop_oneof![1 => Just(None), 3 => (0..100_usize).prop_map(Some)];
    let region = prop_oneof![1 => Just(None), 2 => (0..REGIONS.len()).prop_map(Some)];
    (0..ACTORS.len(), subsequence(roles, 1..=3), unit, region)
        .prop_map(|(actor, roles, unit, region)| Person { actor, roles, unit, region })
}

fn region(number: usize) -> RegionCode {
    REGIONS[number].parse().unwrap()
}

fn pick<S: Status>(number: usize) -> S {
    S::all()[number % S::all().len()]
}

/// What has been drawn so far, for others to lie under and to name.
#[derive(Default)]
struct Ground {
    units: Vec<Id<zhixing_domain::organisation::unit::Unit>>,
    plans: Vec<Id<zhixing_domain::programme::plan::Plan>>,
    tasks: Vec<Id<zhixing_domain::programme::task::Task>>,
}

type UnitId = Id<zhixing_domain::organisation::unit::Unit>;

impl Ground {
    fn unit(&self, number: usize) -> UnitId {
        self.units[number % self.units.len()]
    }
    fn both(&self, draw: &Draw) -> Vec<UnitId> {
        let mut both = draw.units.map(|number| self.unit(number)).to_vec();
        both.dedup();
        both
    }
    fn plan(&self, draw: &Draw) -> Key<zhixing_domain::programme::plan::Plan> {
        Key(self.plans[draw.plan % self.plans.len()])
    }
}

/// To whom a row is open beside those inside its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// To nobody.
    Never,
    /// To whom published objects of its kind are.
    Once,
    /// To whom its plan is.
    WithPlan,
}

/// What the rule is asked about.
#[derive(Clone, Debug)]
struct Object {
    id: GlobalId,
    region: RegionCode,
    open: Open,
    plan: Option<Uuid>,
    task: Option<Uuid>,
    units: Vec<UnitId>,
    /// Those of the units that have something to do.
    doers: Vec<UnitId>,
    actor: Option<String>,
    /// Text by which a download names it.
    name: Option<String>,
    cancelled: bool,
    versions: i64,
}

impl Object {
    fn of<V: View>(row: &V, open: Open) -> Self {
        let fact = row.fact();
        Self {
            id: GlobalId { kind: V::Of::KIND, uuid: row.key() },
            region: fact.region.unwrap(),
            open,
            plan: None,
            task: None,
            units: Vec::new(),
            doers: Vec::new(),
            actor: None,
            name: None,
            cancelled: false,
            versions: row.version(),
        }
    }
    fn under(self, plan: impl Into<Option<Key<zhixing_domain::programme::plan::Plan>>>) -> Self {
        Self { plan: plan.into().map(|plan| plan.0.uuid()), ..self }
    }
    fn names(self, units: Vec<UnitId>) -> Self {
        Self { units, ..self }
    }
    fn done_by(self, doers: Vec<UnitId>) -> Self {
        Self { doers, ..self }
    }
}

fn once(published: bool) -> Open {
    if published { Open::Once } else { Open::Never }
}
fn with_plan(published: bool) -> Open {
    if published { Open::WithPlan } else { Open::Never }
}

/// Every kind once: its list, what a draw makes of a row, and what the rule must know of it.
macro_rules! kinds {
    ($($view:ident, $list:literal, |$row:ident, $draw:ident, $ground:ident| $change:expr, |$seen:ident| $object:expr;)+) => {
        const LISTS: &[(Kind, &str)] = &[$((<<$view as View>::Of as Aggregate>::KIND, $list)),+];

        /// Draws objects of every kind beside those that stand.
        async fn draw(house: &House, standing: &BTreeMap<Kind, Uuid>, draws: &[Draw]) {
            let mut ground = Ground::default();
            let mut draws = draws.chunks(OF_A_KIND);
            $({
                let kind = <<$view as View>::Of as Aggregate>::KIND;
                let model = standing[&kind];
                let row: $view = house.store.pool().many(&[model]).await.unwrap().pop().unwrap();
                let event = house.store.pool().read_stream(model, 0, 1).await.unwrap().pop().unwrap();
                let mut all = Append::default();
                for draw in draws.next().unwrap() {
                    let mut row = row.clone();
                    row.life.id = Key(Id::new(house.store.clock().new_id()));
                    row.life.version = 1;
                    row.region_code = region(draw.region);
                    row.status = pick(draw.status);
                    let ($row, $draw, $ground) = (&mut row, draw, &mut ground);
                    $change;
                    add(house, &mut all, &row, &event);
                }
                house.store.writer().append(all).await.unwrap();
            })+
        }

        /// Every object that there is.
        async fn objects(house: &House) -> Vec<Object> {
            let mut objects = Vec::new();
            $({
                let rows: Vec<$view> = house.store.pool().all(Condition::all(), 1_000).await.unwrap();
                objects.extend(rows.iter().map(|$seen| $object));
            })+
            objects
        }
    };
}

kinds! {
    Unit, "units",
        |row, draw, ground| {
            // Every third is a group of units.
            row.member_ids.0 = if ground.units.len() % 3 == 2 { ground.both(draw) } else { Vec::new() };
            row.name = format!("单位{}", ground.units.len());
            ground.units.push(row.life.id.0);
        },
        |row| Object::of(row, Open::Once).names(row.member_ids.0.clone());
    Plan, "plans",
        |row, _draw, ground| {
            row.code = format!("DRAWN-{}", ground.plans.len());
            ground.plans.push(row.life.id.0);
        },
        |row| Object { name: Some(row.code.clone()), ..Object::of(row, once(row.status != PlanStatus::Draft)) };
    Task, "tasks",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            let both = ground.both(draw);
            row.lead_unit_ids.0 = both[..1].to_vec();
            row.supporting_unit_ids.0 = both[1..].to_vec();
            row.title = format!("任务{}", ground.tasks.len());
            ground.tasks.push(row.life.id.0);
        },
        |row| {
            let units = [row.lead_unit_ids.0.clone(), row.supporting_unit_ids.0.clone()].concat();
            let object = Object::of(row, Open::WithPlan).under(row.plan_id).names(units.clone()).done_by(units);
            Object {
                name: Some(format!("{},{}", row.number, row.title)),
                cancelled: row.status == TaskStatus::Cancelled,
                ..object
            }
        };
    Indicator, "indicators",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            row.task_id = draw.task.map(|number| Key(ground.tasks[number % ground.tasks.len()]));
        },
        |row| Object {
            task: row.task_id.map(|task| task.0.uuid()),
            ..Object::of(row, Open::WithPlan).under(row.plan_id)
        };
    DataImport, "dataImports",
        |row, draw, ground| row.plan_id = ground.plan(draw),
        |row| Object::of(row, Open::Never).under(row.plan_id);
    ReportingDuty, "reportingDuties",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            row.parties.0.truncate(1);
            row.parties.0[0].reporter_id = ground.unit(draw.units[0]);
            row.parties.0[0].addressee_id = ground.unit(draw.units[1]);
        },
        |row| {
            let both = row.parties.iter().flat_map(|pair| [pair.reporter_id, pair.addressee_id]);
            Object::of(row, Open::Never).under(row.plan_id).names(both.collect())
        };
    Report, "reports",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            row.reporter_id = Key(ground.unit(draw.units[0]));
            row.addressee_id = Key(ground.unit(draw.units[1]));
        },
        |row| {
            let object = Object::of(row, Open::Never).under(row.plan_id);
            object.names(vec![row.reporter_id.0, row.addressee_id.0]).done_by(vec![row.reporter_id.0])
        };
    SupervisionItem, "supervisionItems",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            row.unit_ids.0 = ground.both(draw);
        },
        |row| {
            let object = Object::of(row, Open::Never).under(row.plan_id);
            object.names(row.unit_ids.0.clone()).done_by(row.unit_ids.0.clone())
        };
    LocalPlan, "localPlans",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            row.filing_unit_id = Key(ground.unit(draw.units[0]));
            row.addressee_id = Key(ground.unit(draw.units[1]));
        },
        |row| {
            let object = Object::of(row, Open::Never).under(row.plan_id);
            object.names(vec![row.filing_unit_id.0, row.addressee_id.0]).done_by(vec![row.filing_unit_id.0])
        };
    AssessmentScheme, "assessmentSchemes",
        |row, draw, ground| row.plan_id = ground.plan(draw),
        |row| Object::of(row, with_plan(row.status != AssessmentSchemeStatus::Draft)).under(row.plan_id);
    Assessment, "assessments",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            row.unit_id = Key(ground.unit(draw.units[0]));
        },
        |row| {
            let settled = matches!(row.status, AssessmentStatus::Final | AssessmentStatus::Applied);
            Object::of(row, with_plan(settled)).under(row.plan_id).names(vec![row.unit_id.0])
        };
    Survey, "surveys",
        |row, draw, ground| {
            row.plan_id = ground.plan(draw);
            row.unit_id = Key(ground.unit(draw.units[0]));
        },
        |row| {
            let open = with_plan(row.status == SurveyStatus::Published);
            Object::of(row, open).under(row.plan_id).names(vec![row.unit_id.0])
        };
    LeadingGroup, "leadingGroups",
        |row, draw, ground| row.plan_id = draw.task.map(|_| ground.plan(draw)),
        |row| Object::of(row, Open::Once).under(row.plan_id);
    RoleGrant, "roleGrants",
        |row, draw, ground| {
            row.actor = ACTORS[draw.actor].into();
            row.unit_id = Some(Key(ground.unit(draw.units[0])));
        },
        |row| Object { actor: Some(row.actor.clone()), ..Object::of(row, Open::Never) };
    ServiceKey, "serviceKeys",
        |row, draw, ground| row.unit_id = Key(ground.unit(draw.units[0])),
        |row| Object::of(row, Open::Never);
    ViolationReport, "violationReports",
        |row, draw, ground| {
            row.number = format!("JB-{}", row.life.id.0.uuid());
            row.unit_id = draw.task.map(|_| Key(ground.unit(draw.units[0])));
        },
        |row| Object::of(row, Open::Never).names(row.unit_id.iter().map(|unit| unit.0).collect());
    EventSubscription, "eventSubscriptions",
        |row, draw, ground| row.unit_id = Key(ground.unit(draw.units[0])),
        |row| Object::of(row, Open::Never).names(vec![row.unit_id.0]);
}

/// Adds a row, what it names, and its first event.
fn add<V: View>(house: &House, all: &mut Append, row: &V, event: &Recorded) {
    let (fact, stream_id) = (row.fact(), row.key());
    let event = Recorded {
        position: 0,
        stream_id,
        id: house.store.clock().new_id(),
        region_code: fact.region,
        status_from: None,
        status_to: Some(fact.status),
        hash: Vec::new(),
        ..event.clone()
    };
    let claims = Vec::new();
    all.streams.push(Extension { stream_id, expected: 0, events: vec![event], claims });
    all.rows.push(WriteRow::of(row).unwrap());
    let (source_kind, removed, added) = (V::Of::KIND, Vec::new(), row.links());
    all.links.push(Named { source_id: stream_id, source_kind, removed, added });
}

/// All objects, and what the rule says of them.
struct Everything {
    objects: BTreeMap<Uuid, Object>,
    /// Before the drawn ones were recorded.
    begin: i64,
    end: i64,
    drawn: BTreeSet<Uuid>,
    due: Vec<Uuid>,
}

impl Everything {
    fn plan(&self, object: &Object) -> Option<&Object> {
        object.plan.map(|plan| &self.objects[&plan])
    }
    /// Units that count for an object: an indicator's are those of its task.
    fn units(&self, object: &Object) -> Vec<UnitId> {
        object.task.map_or_else(|| object.units.clone(), |task| self.objects[&task].units.clone())
    }
    fn sees(&self, viewer: &Viewer, object: &Object) -> bool {
        let published = match object.open {
            Open::Never => false,
            Open::Once => true,
            Open::WithPlan => self.plan(object).is_some_and(|plan| self.sees(viewer, plan)),
        };
        let published = published.then_some(0);
        let seen = Seen { published, region: Some(object.region), units: self.units(object) };
        let own = object.actor.as_ref() == Some(&viewer.actor);
        own || policy::sight(viewer, object.id.kind).sees(&seen)
    }
    /// Lists over many kinds show what lies inside the scope of officials.
    fn is_inside(viewer: &Viewer, object: &Object, units: Vec<UnitId>) -> bool {
        let kind = if object.id.kind == Kind::ViolationReport { object.id.kind } else { Kind::Report };
        let seen = Seen { published: None, region: Some(object.region), units };
        policy::sight(viewer, kind).is_inside(&seen)
    }
    /// The ids of those that a test admits.
    fn those(&self, admits: impl Fn(&Object) -> bool) -> BTreeSet<String> {
        self.objects.values().filter(|object| admits(object)).map(|object| object.id.to_string()).collect()
    }
    fn whom(&self, person: &Person) -> (String, Viewer) {
        let units: Vec<&Object> =
            self.objects.values().filter(|object| object.id.kind == Kind::Unit).collect();
        let unit = person.unit.map(|number| units[number % units.len()]);
        let own = unit.map(|unit| Id::new(unit.id.uuid));
        let groups = units.iter().filter(|group| own.is_some_and(|own| group.units.contains(&own)));
        let viewer = Viewer {
            actor: ACTORS[person.actor].into(),
            roles: person.roles.clone(),
            units: own.into_iter().chain(groups.map(|group| Id::new(group.id.uuid))).collect(),
            region: person.region.map(region).or(unit.map(|unit| unit.region)).unwrap_or(RegionCode::COUNTRY),
            method: AuthenticationMethod::DevelopmentToken,
        };
        let roles: Vec<&str> = person.roles.iter().map(|role| role.as_str()).collect();
        let mut token = format!("dev:{}:{}", viewer.actor, roles.join(","));
        if let Some(unit) = own {
            token = format!("{token}:unit={unit}");
        }
        if let Some(number) = person.region {
            token = format!("{token}:region={}", REGIONS[number]);
        }
        (token, viewer)
    }
}

fn ids(nodes: &Value) -> BTreeSet<String> {
    let nodes = nodes.as_array().unwrap().iter();
    nodes.filter(|node| !node.is_null()).map(|node| node["id"].as_str().unwrap().to_owned()).collect()
}

/// What a list shows, and that its count says as many.
fn listed(list: &Value) -> BTreeSet<String> {
    let shown = ids(&list["nodes"]);
    assert_eq!(list["totalCount"], json!(shown.len()), "the count and the page differ: {list}");
    shown
}

type Checked = Result<(), TestCaseError>;

/// Every list with its count, and where its rows lead to.
async fn lists(house: &House, all: &Everything, token: &str, viewer: &Viewer) -> Checked {
    let all_lists: Vec<String> = LISTS
        .iter()
        .map(|(kind, list)| {
            let plan = all.objects.values().any(|object| object.id.kind == *kind && object.plan.is_some());
            let up = if plan { "plan { id }" } else { "" };
            let up = if *kind == Kind::Indicator { "plan { id } task { id }" } else { up };
            format!("{list}(first: 100) {{ totalCount nodes {{ id {up} }} }}")
        })
        .collect();
    let data = house.ok(token, &format!("{{ {} }}", all_lists.join(" ")), json!({})).await;
    for (kind, list) in LISTS {
        let expected = all.those(|object| object.id.kind == *kind && all.sees(viewer, object));
        prop_assert_eq!(listed(&data[list]), expected, "{}", list);
        for node in data[list]["nodes"].as_array().unwrap() {
            let id: GlobalId = node["id"].as_str().unwrap().parse().unwrap();
            let object = &all.objects[&id.uuid];
            for (field, to) in [("plan", object.plan), ("task", object.task)] {
                let seen = to.map(|to| &all.objects[&to]).filter(|to| all.sees(viewer, to));
                let expected = seen.map_or(Value::Null, |to| json!({ "id": to.id.to_string() }));
                prop_assert_eq!(&node[field], &expected, "{} of {}", field, id);
            }
        }
    }
    Ok(())
}

/// Small pages, one behind the other, forwards and backwards.
async fn pages(house: &House, all: &Everything, token: &str, viewer: &Viewer) -> Checked {
    let expected = all.those(|object| object.id.kind == Kind::Task && all.sees(viewer, object));
    for (size, behind, more, place) in
        [("first", "after", "hasNextPage", "endCursor"), ("last", "before", "hasPreviousPage", "startCursor")]
    {
        let (mut shown, mut cursor) = (BTreeSet::new(), Value::Null);
        loop {
            let query = format!(
                "query($cursor: String) {{ tasks({size}: 4, {behind}: $cursor, orderBy: {{ field: DUE_ON }}) {{
                    edges {{ node {{ id }} }} pageInfo {{ {more} {place} }} }} }}"
            );
            let data = house.ok(token, &query, json!({ "cursor": cursor })).await;
            for edge in data["tasks"]["edges"].as_array().unwrap() {
                prop_assert!(shown.insert(edge["node"]["id"].as_str().unwrap().to_owned()), "shown twice");
            }
            if data["tasks"]["pageInfo"][more] != true {
                break;
            }
            cursor = data["tasks"]["pageInfo"][place].clone();
        }
        prop_assert_eq!(&shown, &expected, "by {}", size);
    }
    Ok(())
}

/// What lies under a plan.
const UNDER: [(&str, Kind); 5] = [
    ("tasks", Kind::Task),
    ("indicators", Kind::Indicator),
    ("localPlans", Kind::LocalPlan),
    ("surveys", Kind::Survey),
    ("leadingGroups", Kind::LeadingGroup),
];

/// Any object by its id, with its history; a plan with what lies under it.
async fn nodes(house: &House, all: &Everything, token: &str, viewer: &Viewer) -> Checked {
    let history = "history(first: 1) { totalCount nodes { subjectId } }";
    let of_each: Vec<String> =
        Kind::ALL.iter().map(|kind| format!("... on {} {{ {history} }}", kind.name())).collect();
    let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ id {} }} }}", of_each.join(" "));
    let every: Vec<&Object> = all.objects.values().collect();
    for some in every.chunks(50) {
        let asked: Vec<String> = some.iter().map(|object| object.id.to_string()).collect();
        let data = house.ok(token, &query, json!({ "ids": asked })).await;
        for (object, node) in some.iter().zip(data["nodes"].as_array().unwrap()) {
            let expected = all.sees(viewer, object).then(|| object.id.to_string());
            prop_assert_eq!(node["id"].as_str(), expected.as_deref(), "node {}", object.id);
            if expected.is_some() {
                // From outside it begins where the object became public; a story of its own says where.
                let inside = Everything::is_inside(viewer, object, all.units(object));
                let told = node["history"]["totalCount"].as_i64().unwrap();
                prop_assert!(told == object.versions || !inside && told < object.versions, "{}", object.id);
                if told > 0 {
                    prop_assert_eq!(node["history"]["nodes"][0]["subjectId"].as_str(), expected.as_deref());
                }
            }
        }
    }
    let under =
        UNDER.map(|(field, _)| format!("{field}(first: 100) {{ totalCount nodes {{ id }} }}")).join(" ");
    let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Plan {{ id {under} }} }} }}");
    let plans: Vec<&Object> = every.into_iter().filter(|object| object.id.kind == Kind::Plan).collect();
    for some in plans.chunks(5) {
        let asked: Vec<String> = some.iter().map(|plan| plan.id.to_string()).collect();
        let data = house.ok(token, &query, json!({ "ids": asked })).await;
        for (plan, node) in some.iter().zip(data["nodes"].as_array().unwrap()) {
            for (field, kind) in UNDER.iter().filter(|_| !node.is_null()) {
                let expected = all.those(|object| {
                    object.id.kind == *kind && object.plan == Some(plan.id.uuid) && all.sees(viewer, object)
                });
                prop_assert_eq!(listed(&node[field]), expected, "{} of {}", field, plan.id);
            }
        }
    }
    Ok(())
}

/// What tells of many kinds at once: the timeline, what is due, and the changes one by one.
async fn together(house: &House, all: &Everything, token: &str, viewer: &Viewer) -> Checked {
    let (mut shown, mut cursor, mut counted) = (BTreeSet::new(), Value::Null, 0);
    let query = "query($cursor: String) { timeline(first: 100, after: $cursor) { totalCount
        nodes { subjectId } pageInfo { hasNextPage endCursor } } }";
    let count = loop {
        let data = house.ok(token, query, json!({ "cursor": cursor })).await;
        let timeline = &data["timeline"];
        for node in timeline["nodes"].as_array().unwrap() {
            shown.insert(node["subjectId"].as_str().unwrap().to_owned());
            counted += 1;
        }
        cursor = timeline["pageInfo"]["endCursor"].clone();
        if timeline["pageInfo"]["hasNextPage"] != true {
            break timeline["totalCount"].clone();
        }
    };
    prop_assert_eq!(count, json!(counted));
    let kept = [Kind::RoleGrant, Kind::ServiceKey, Kind::EventSubscription];
    let expected = all.those(|object| {
        !kept.contains(&object.id.kind) && Everything::is_inside(viewer, object, all.units(object))
    });
    prop_assert_eq!(&shown, &expected, "the timeline");
    let outside = all.those(|object| !all.sees(viewer, object));
    prop_assert!(shown.is_disjoint(&outside), "the timeline tells of what they do not see");

    let due: Vec<&Object> = all.due.iter().map(|id| &all.objects[id]).collect();
    let due = due.into_iter().filter(|object| Everything::is_inside(viewer, object, object.doers.clone()));
    let due: BTreeSet<String> = due.map(|object| object.id.to_string()).collect();
    let query = "{ dueItems(first: 100) { totalCount nodes { id } } }";
    let data = house.ok(token, query, json!({})).await;
    prop_assert_eq!(&listed(&data["dueItems"]), &due, "what is due");
    let table = download(house, token, "/due-items.csv").await.1;
    prop_assert_eq!(table.lines().count(), due.len() + 1, "what is due, downloaded");

    let mut socket = Socket::open(house, token).await;
    socket
        .follow(all.begin, json!({ "kinds": Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>() }))
        .await;
    if !viewer.is_official() {
        prop_assert_eq!(&socket.receive().await["type"], "error");
        return Ok(());
    }
    // The last event is about a unit: everybody hears of it.
    let mut heard = BTreeSet::new();
    loop {
        let change = socket.next().await;
        if change["position"] == json!(all.end) {
            break;
        }
        heard.insert(change["subjectId"].as_str().unwrap().to_owned());
    }
    let expected = all.those(|object| all.drawn.contains(&object.id.uuid) && all.sees(viewer, object));
    prop_assert_eq!(heard, expected, "the changes");
    Ok(())
}

async fn download(house: &House, token: &str, path: &str) -> (u16, String) {
    let response = house.http().get(house.url(path)).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The breakdown table of every plan.
async fn tables(house: &House, all: &Everything, token: &str, viewer: &Viewer) -> Checked {
    for plan in all.objects.values().filter(|object| object.id.kind == Kind::Plan) {
        let path = format!("/plans/{}/tasks.csv", plan.name.as_deref().unwrap());
        let (status, table) = download(house, token, &path).await;
        prop_assert_eq!(status, if all.sees(viewer, plan) { 200 } else { 404 }, "{}", path);
        // Those that were drawn have names of their own.
        for task in all
            .objects
            .values()
            .filter(|object| object.id.kind == Kind::Task && all.drawn.contains(&object.id.uuid))
        {
            let name = format!("{},", task.name.as_deref().unwrap());
            let own = status == 200 && task.plan == Some(plan.id.uuid);
            let expected = own && !task.cancelled && all.sees(viewer, task);
            prop_assert_eq!(table.contains(&name), expected, "{} in {}", name, path);
        }
    }
    Ok(())
}

story!(everybody_is_shown_what_the_rule_says, |house| {
    let year = Year::new(house).await;
    year.lived(house).await;
    let mut standing: BTreeMap<Kind, Uuid> = BTreeMap::new();
    for (_, id) in access_matrix::objects(house, &year).await {
        let id: GlobalId = id.parse().unwrap();
        standing.entry(id.kind).or_insert(id.uuid);
    }
    let mut runner =
        TestRunner::new(Config { cases: PEOPLE, failure_persistence: None, ..Config::default() });
    let begin = house.head();
    let before: BTreeSet<Uuid> = objects(house).await.iter().map(|object| object.id.uuid).collect();
    draw(house, &standing, &draws().new_tree(&mut runner).unwrap().current()).await;
    let last = crate::world::unit(house, "最后一厅", "620000").await;
    let objects: BTreeMap<Uuid, Object> =
        objects(house).await.into_iter().map(|object| (object.id.uuid, object)).collect();
    let last: GlobalId = last.parse().unwrap();
    let drawn = objects.keys().copied().filter(|id| !before.contains(id) && *id != last.uuid).collect();
    let due: Vec<DueItem> = house.store.pool().all(Condition::all(), 1_000).await.unwrap();
    let due = due.iter().map(|item| item.id).collect();
    let all = Everything { objects, begin, end: house.head(), drawn, due };
    let house = &*house;
    let asked = runner.run(&people(), |person| {
        let (token, viewer) = all.whom(&person);
        block_in_place(|| {
            Handle::current().block_on(async {
                lists(house, &all, &token, &viewer).await?;
                pages(house, &all, &token, &viewer).await?;
                nodes(house, &all, &token, &viewer).await?;
                together(house, &all, &token, &viewer).await?;
                tables(house, &all, &token, &viewer).await
            })
        })
    });
    asked.unwrap_or_else(|failure| panic!("{failure}"));
});
