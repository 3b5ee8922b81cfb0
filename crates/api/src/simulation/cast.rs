//! Who takes part: the plan, the governments and quality bureaus of fourteen cities and their counties, and their duties.
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Date, Id, RegionCode, Rejection, Role, Viewer,
    organisation::{
        region::{self, RegionLevel},
        unit::{RegisterUnit, UnitKind},
    },
    performance::{
        indicator::Indicator,
        reporting_duty::{EstablishReportingDuty, ReportSubject, ReportingParty, ReportingSchedule},
    },
    programme::plan::{Cadence, Plan},
};
use zhixing_event_store::{Error, EventStore, View};

use super::{Halt, Party, order};
use crate::{
    cli::samples,
    graphql::{indicator::Indicator as IndicatorRow, reporting_duty::ReportingDuty, unit::Unit},
    import::{Importer, Job},
};

/// The file of the plan.
const PLAN: &str = "gansu-2011-quality-revitalisation.json";
const PROVINCE: &str = "620000";
/// The year whose regions take part.
const YEAR: i32 = 2011;
/// Indicators of the plan that every city is measured and assessed by: rates, whose targets hold for a city as well.
const MEASURED: [&str; 3] = ["GS11-6_2-01", "GS11-6_2-02", "GS11-1-01"];
/// More than a province has units or indicators of one name.
const FEW: u64 = 10;

/// A city or county with its government and its quality bureau.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) region: RegionCode,
    pub(super) government: Party,
    bureau: Party,
}

/// Who takes part.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) plan: Id<Plan>,
    pub(super) cities: Vec<Place>,
    /// Indicators that cities are measured by, with their names.
    pub(super) indicators: Vec<(Id<Indicator>, String)>,
}

impl Cast {
    /// Somebody of the leading group's office.
    pub(super) fn office(actor: &str) -> Viewer {
        Viewer { actor: format!("sim-{actor}"), ..Viewer::system() }
    }
    /// The officer of a unit.
    pub(super) fn officer(unit: Party) -> Viewer {
        let actor = format!("sim-officer-{}", unit.uuid().simple());
        Viewer { actor, roles: vec![Role::UnitOfficer], units: vec![unit], ..Viewer::system() }
    }

    /// Imports the plan, registers the units and establishes their duties.
    pub(super) async fn assemble(store: &EventStore) -> Result<Self, Halt> {
        let plan = import(store).await?;
        let province: RegionCode =
            PROVINCE.parse().map_err(|reason: &str| Rejection::invalid("region", reason))?;
        let mut cities = Vec::new();
        let mut counties = Vec::new();
        for city in of_that_year(province, RegionLevel::City) {
            let place = place(store, city).await?;
            for county in of_that_year(city.code, RegionLevel::County) {
                counties.push((self::place(store, county).await?, place));
            }
            cities.push(place);
        }
        let [office, group, bureau] =
            ["省推进质量振兴工作领导小组办公室", "省推进质量振兴工作领导小组", "省质监局"]
                .map(|name| named(store, name));
        let (office, group, bureau) = (office.await?, group.await?, bureau.await?);
        let duty = |what: &str, asks_for, cadence, parties: Vec<(Party, Party)>| {
            let what = what.into();
            Duty { what, asks_for, cadence, parties }
        };
        let duties = [
            duty(
                "县级质量状况报告（报本级政府）",
                ReportSubject::StatusAnalysis,
                Cadence::Quarterly,
                counties.iter().map(|(county, _)| (county.bureau, county.government)).collect(),
            ),
            duty(
                "县级质量状况报告（报上一级主管部门）",
                ReportSubject::StatusAnalysis,
                Cadence::Quarterly,
                counties.iter().map(|(county, city)| (county.bureau, city.bureau)).collect(),
            ),
            duty(
                "市州质量状况报告（报本级政府）",
                ReportSubject::StatusAnalysis,
                Cadence::SemiAnnual,
                cities.iter().map(|city| (city.bureau, city.government)).collect(),
            ),
            duty(
                "市州质量状况报告（报上一级主管部门）",
                ReportSubject::StatusAnalysis,
                Cadence::SemiAnnual,
                cities.iter().map(|city| (city.bureau, bureau)).collect(),
            ),
            duty(
                "质量振兴工作统计报告",
                ReportSubject::Statistics,
                Cadence::SemiAnnual,
                vec![(bureau, group)],
            ),
            duty(
                "全省质量状况综合分析报告",
                ReportSubject::AnnualAnalysis,
                Cadence::Annual,
                vec![(bureau, group)],
            ),
            duty(
                "下一年度质量振兴工作计划",
                ReportSubject::WorkPlan,
                Cadence::Annual,
                cities.iter().map(|city| (city.government, office)).collect(),
            ),
        ];
        for duty in duties {
            duty.establish(store, plan).await?;
        }
        let mut indicators = Vec::new();
        for code in MEASURED {
            let indicator = found::<IndicatorRow>(store, "code", code).await?;
            indicators.push((indicator.life.id.0, indicator.name));
        }
        Ok(Self { plan, cities, indicators })
    }
}

/// A duty of the plan with the units that have it.
struct Duty {
    what: String,
    asks_for: ReportSubject,
    cadence: Cadence,
    parties: Vec<(Party, Party)>,
}

impl Duty {
    async fn establish(self, store: &EventStore, plan: Id<Plan>) -> Result<(), Error> {
        let day = |year, month, day| Date::new(year, month, day).unwrap_or(Date::of(store.clock().now()));
        // The first whole quarter behind the issue of the plan, up to its end.
        let schedule = ReportingSchedule {
            cadence: self.cadence,
            due_days: 0,
            open_days: 30,
            holds_from: day(2011, 4, 1),
            holds_until: day(2015, 12, 31),
        };
        let party = |(reporter_id, addressee_id)| ReportingParty { reporter_id, addressee_id };
        let establish = EstablishReportingDuty {
            plan_id: plan,
            what: self.what,
            asks_for: self.asks_for,
            schedule,
            parties: self.parties.into_iter().map(party).collect(),
            note: None,
        };
        store.execute::<ReportingDuty>(order(Cast::office("ann"), establish)).await.map(drop)
    }
}

async fn import(store: &EventStore) -> Result<Id<Plan>, Halt> {
    let text =
        samples().into_iter().find(|(name, _)| *name == PLAN).map(|(_, text)| text).unwrap_or_default();
    let job = Job {
        source: PLAN.into(),
        bytes: text.as_bytes().to_vec(),
        plan: None,
        number_prefix: String::new(),
        take_good_rows: false,
        dry_run: false,
        command_id: None,
    };
    let done = Importer::new(store, &Cast::office("ann")).import(job, |_, _| {}).await?;
    Ok(done.plan.ok_or_else(|| Rejection::invalid("plan", "was not taken"))?)
}

/// Regions of a level that stood in [`YEAR`], directly below another.
fn of_that_year(parent: RegionCode, level: RegionLevel) -> impl Iterator<Item = &'static region::Region> {
    region::all().iter().filter(move |region| {
        let stood = region.valid_from.is_none_or(|first| first <= YEAR)
            && region.valid_to.is_none_or(|last| last >= YEAR);
        region.parent == Some(parent) && region.level == level && stood
    })
}

async fn place(store: &EventStore, region: &region::Region) -> Result<Place, Error> {
    let register = async |name: &str, kind| {
        let unit = RegisterUnit {
            name: format!("{}{name}", region.name),
            kind,
            region_code: region.code,
            official_name: None,
            aliases: Vec::new(),
            note: None,
        };
        store.execute::<Unit>(order(Cast::office("ann"), unit)).await.map(|done| done.object.life.id.0)
    };
    let government = register("人民政府", UnitKind::Government).await?;
    let bureau = register("质量技术监督局", UnitKind::Department).await?;
    Ok(Place { region: region.code, government, bureau })
}

async fn named(store: &EventStore, name: &str) -> Result<Party, Error> {
    found::<Unit>(store, "name", name).await.map(|unit| unit.life.id.0)
}

async fn found<V: View>(store: &EventStore, column: &'static str, value: &str) -> Result<V, Error> {
    let filter = Condition::all().add(Expr::col(column).eq(value));
    let kind = <V::Of as zhixing_domain::Aggregate>::KIND;
    let row = store.pool().all::<V>(filter, FEW).await?.pop();
    row.ok_or_else(|| Rejection::NotFound { kind, field: value.into() }.into())
}
