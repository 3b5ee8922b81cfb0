//! A task breakdown table becomes commands: tasks of a plan, with their units.
use std::collections::HashMap;

use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Id, Kind, RegionCode, Rejection,
    organisation::unit::{RegisterUnit, Unit, UnitKind},
    programme::{
        plan::Plan,
        task::{AssignTaskUnits, Assignment, RegisterTask, Responsibility, Task, TaskContent, TaskKind},
    },
};
use zhixing_event_store::Error;

use super::{
    Commands, Fault, Importer, Job, MOST_PASSES, Report, Row, as_row,
    report::{Repair, RowRejection},
    responsible::{Responsible, parse_responsible},
    table::{TableRow, read_table},
    text::{half_width, is_blank},
};
use crate::graphql::{
    connection::Narrow, plan::Plan as PlanView, task::Task as TaskView, unit::Unit as UnitView,
};

/// Most units of a region, and most tasks of a plan, that a table is compared with.
const MOST_KNOWN: u64 = 20_000;

impl<'s> Importer<'s> {
    async fn plan_row(&self, plan: Id<Plan>) -> Result<Option<PlanView>, Error> {
        Ok(self.store.pool().many::<PlanView>(&[plan.uuid()]).await?.into_iter().next())
    }

    /// Reads and decides a table; `None` when nothing of it can be taken.
    pub(super) async fn task_table(
        &self,
        work: Commands<'_, 's>,
        job: &Job,
        report: &mut Report,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<(Id<Plan>, RegionCode)>, Fault> {
        let Some(plan) = job.plan else {
            return Err(
                Rejection::invalid("plan", "must be named: the tasks of a table belong to a plan").into()
            );
        };
        let Some(row) = self.plan_row(plan).await? else {
            return Err(Rejection::NotFound { kind: Kind::Plan, field: "plan".into() }.into());
        };
        let table = read_table(&job.bytes, &job.source)?;
        table.encoding.clone_into(&mut report.encoding);
        report.rows_read = table.rows_read;
        let read_repairs = table.repairs.finish();
        let mut bad: Vec<RowRejection> = table.rejected.finish();
        let mut rows = table.rows;
        let mut passes = 0;
        loop {
            let mut import = TableImport::new(self, plan, row.region_code, &job.number_prefix).await?;
            let mut failed = Vec::new();
            let total = rows.len() as u64;
            for (at, row) in rows.iter().enumerate() {
                match import.row(work, row).await? {
                    Row::Taken => import.taken += 1,
                    Row::Unchanged => import.unchanged += 1,
                    Row::Bad(rejection) => failed.push((at, rejection)),
                }
                progress(at as u64 + 1, total);
            }
            report.repaired = read_repairs.iter().cloned().chain(import.repairs).collect();
            report.accepted = import.taken;
            report.unchanged = import.unchanged;
            if failed.is_empty() || !job.take_good_rows {
                bad.extend(failed.into_iter().map(|(_, rejection)| rejection));
                report.rejected = bad;
                let nothing = report.accepted == 0 && report.unchanged == 0;
                return Ok((!nothing).then_some((plan, row.region_code)));
            }
            passes += 1;
            if passes > MOST_PASSES {
                report.rejected = bad;
                return Ok(None);
            }
            for (at, rejection) in failed.into_iter().rev() {
                rows.remove(at);
                bad.push(rejection);
            }
            // A row may have been half decided before it failed: begin again without the bad ones.
            *work = self.store.begin(self.viewer, job.command_id.clone());
        }
    }
}

struct TableImport<'i, 's> {
    importer: &'i Importer<'s>,
    plan: Id<Plan>,
    region: RegionCode,
    prefix: &'i str,
    /// Ids of units by every name they have.
    units: HashMap<String, Id<Unit>>,
    /// Tasks of the plan by number.
    tasks: HashMap<String, TaskView>,
    repairs: Vec<Repair>,
    taken: u32,
    unchanged: u32,
}

const RESPONSIBLE: &str = "责任部门";

impl<'i, 's> TableImport<'i, 's> {
    async fn new(
        importer: &'i Importer<'s>,
        plan: Id<Plan>,
        region: RegionCode,
        prefix: &'i str,
    ) -> Result<Self, Error> {
        let pool = importer.store.pool();
        let of_region =
            Condition::all().add(Expr::col("region_code").eq(region)).add(Expr::col("status").eq("ACTIVE"));
        let known: Vec<UnitView> = pool.all(of_region, MOST_KNOWN).await?;
        let mut units = HashMap::new();
        for unit in &known {
            let others = unit.aliases.iter().chain(unit.official_name.as_ref());
            for name in others {
                units.entry(name.clone()).or_insert(unit.life.id.0);
            }
        }
        // A name is worth more than an alias of another unit.
        units.extend(known.iter().map(|unit| (unit.name.clone(), unit.life.id.0)));
        let tasks: Vec<TaskView> = pool.all(Condition::all().has("plan_id", Some(plan)), MOST_KNOWN).await?;
        let tasks = tasks.into_iter().map(|task| (task.number.clone(), task)).collect();
        Ok(Self { importer, plan, region, prefix, units, tasks, repairs: Vec::new(), taken: 0, unchanged: 0 })
    }

    async fn row(&mut self, work: Commands<'_, '_>, row: &TableRow) -> Result<Row, Error> {
        let responsible = match parse_responsible(&row.responsible) {
            Ok(responsible) => responsible,
            Err(error) => return Ok(Row::Bad(RowRejection::new(row.row, RESPONSIBLE, error.to_string()))),
        };
        for (found, reading) in &responsible.repairs {
            self.repairs.push(Repair::new(row.row, RESPONSIBLE, found, reading));
        }
        let responsibility = match self.resolve(work, row, &responsible).await? {
            Ok(responsibility) => responsibility,
            Err(bad) => return Ok(Row::Bad(bad)),
        };
        let number = format!("{}{}", self.prefix, row.number);
        if let Some(known) = self.tasks.get(&number) {
            return Ok(compare(known, row, &responsibility));
        }
        let id: Id<Task> = Id::new(self.importer.store.clock().new_id());
        let content = TaskContent {
            label: Some(row.number.clone()),
            kind: TaskKind::Task,
            title: row.title.clone(),
            summary: if row.content.trim().is_empty() { row.title.clone() } else { row.content.clone() },
            due_on: None,
            note: None,
        };
        let assignment = if responsible.joint { Assignment::Joint } else { Assignment::Explicit };
        let command =
            RegisterTask { plan_id: self.plan, parent_id: None, number: number.clone(), content, assignment };
        if let Err(error) = work.run::<TaskView>(id, None, command).await {
            return Ok(Row::Bad(as_row(row.row, "任务", error)?));
        }
        match work.run::<TaskView>(id, None, AssignTaskUnits { id, responsibility }).await {
            Ok(task) => {
                self.tasks.insert(number, task);
                Ok(Row::Taken)
            }
            Err(error) => Ok(Row::Bad(as_row(row.row, RESPONSIBLE, error)?)),
        }
    }

    /// A unit whose name was written without the level before it: 文化广电旅游体育局 for 市文化广电旅游体育局.
    fn without_level(&self, name: &str) -> Option<(String, Id<Unit>)> {
        const LEVELS: [&str; 4] = ["省", "市", "州", "县"];
        if LEVELS.iter().any(|level| name.starts_with(level)) {
            return None;
        }
        let mut full = LEVELS.iter().map(|level| format!("{level}{name}"));
        full.find_map(|full| self.units.get(&full).map(|id| (full, *id)))
    }

    /// Units by name or alias in the plan's region; an unknown one is registered.
    async fn resolve(
        &mut self,
        work: Commands<'_, '_>,
        row: &TableRow,
        responsible: &Responsible,
    ) -> Result<Result<Responsibility, RowRejection>, Error> {
        let mut responsibility =
            Responsibility { open_ended: responsible.open_ended, ..Responsibility::default() };
        let leads = responsible.lead.iter().map(|name| (true, name));
        for (leads, name) in leads.chain(responsible.supporting.iter().map(|name| (false, name))) {
            let id = if let Some(id) = self.units.get(name) {
                *id
            } else if let Some((full, id)) = self.without_level(name) {
                self.repairs.push(Repair::new(row.row, RESPONSIBLE, name, full));
                id
            } else {
                let group = responsible.open_groups.contains(name);
                let id: Id<Unit> = Id::new(self.importer.store.clock().new_id());
                let command = RegisterUnit {
                    name: name.clone(),
                    kind: if group { UnitKind::UnitGroup } else { UnitKind::Department },
                    region_code: self.region,
                    official_name: None,
                    aliases: Vec::new(),
                    note: None,
                };
                if let Err(error) = work.run::<UnitView>(id, None, command).await {
                    return Ok(Err(as_row(row.row, RESPONSIBLE, error)?));
                }
                self.repairs.push(Repair::new(row.row, RESPONSIBLE, name, "registered as a new unit"));
                self.units.insert(name.clone(), id);
                id
            };
            let (lead, supporting) =
                (&mut responsibility.lead_unit_ids, &mut responsibility.supporting_unit_ids);
            // Two names of one unit, as after a reform: it stands once, and leading weighs more.
            if lead.contains(&id) || supporting.contains(&id) {
                self.repairs.push(Repair::new(row.row, RESPONSIBLE, name, "names a unit of this task twice"));
            } else if leads {
                lead.push(id);
            } else {
                supporting.push(id);
            }
        }
        Ok(Ok(responsibility))
    }
}

/// Whether two texts say the same: half- and full-width characters and blanks make no difference.
fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.chars().filter(|c| !is_blank(*c)).map(half_width).collect::<String>();
    plain(one) == plain(other)
}

/// A row whose task stands there already.
fn compare(known: &TaskView, row: &TableRow, responsibility: &Responsibility) -> Row {
    let content = if row.content.trim().is_empty() { &row.title } else { &row.content };
    let differs = if !same(&known.title, &row.title) {
        Some("工作任务")
    } else if !same(&known.summary, content) {
        Some("主要内容")
    } else if known.lead_unit_ids.0 != responsibility.lead_unit_ids
        || known.supporting_unit_ids.0 != responsibility.supporting_unit_ids
    {
        Some(RESPONSIBLE)
    } else {
        None
    };
    match differs {
        None => Row::Unchanged,
        Some(field) => {
            let reason =
                format!("task {} of the plan exists with another content: amend it instead", known.number);
            Row::Bad(RowRejection::new(row.row, field, reason))
        }
    }
}
