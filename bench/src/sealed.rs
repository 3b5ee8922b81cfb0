//! `bench sealed`: a report of a violation whose informer is sealed, beside the same words written in plain.
use std::{path::Path, sync::Arc, time::Duration};

use zhixing_api::graphql::violation_report::ViolationReport;
use zhixing_domain::{
    Id, Kind, Viewer,
    complaints::violation_report::{Informer, IntakeChannel, SubmitViolationReport, ViolationCategory},
};
use zhixing_event_store::{EventStore, SystemClock};
use zhixing_vault::{MasterSource, Place, Plain, Vault, vault::random_hex};

use crate::{
    case::{Case, find, rounds},
    load::{Caller, Fault},
    report::{Report, Section},
    server::Server,
    settings::Settings,
    store,
};

const CALLERS: [usize; 3] = [1, 16, 64];
const PLAIN: &str = "report in plain";
const SEALED: &str = "report with a sealed informer";
const NAME: &str = "欧阳明月";
const PHONE: &str = "13800138000";
const ADDRESS: &str = "人民路8号欧阳家";

/// Submits reports; with a vault the informer is sealed, without one the same words stand in the details.
struct Submitter {
    store: EventStore,
    vault: Option<Vault>,
}

impl Caller for Submitter {
    async fn call(&mut self) -> Result<(), Fault> {
        let (store, viewer) = (&self.store, Viewer::anonymous());
        let id: Id<_> = Id::new(store.clock().new_id());
        let mut details = "某农资店销售包装相仿的化肥，肥效全无。".to_owned();
        let informer = match &self.vault {
            None => {
                details.extend([NAME, PHONE, ADDRESS]);
                None
            }
            Some(vault) => {
                let key = vault.new_key(Kind::ViolationReport).await?;
                let place = Place { kind: Kind::ViolationReport, id: id.uuid() };
                let plain = |text: &str| Plain::new(text.to_owned());
                Some(Informer {
                    key_id: key.id(),
                    name: Some(key.seal(place, &plain(NAME))?),
                    phone: Some(key.seal(place, &plain(PHONE))?),
                    address: Some(key.seal(place, &plain(ADDRESS))?),
                })
            }
        };
        let command = SubmitViolationReport {
            number: format!("JB-{}", random_hex::<10>()?),
            secret_digest: "0a".repeat(32),
            channel: IntakeChannel::Web,
            category: ViolationCategory::Counterfeit,
            subject: "销售假冒化肥".into(),
            details,
            respondent: None,
            occurred_on: None,
            region_code: "440800".parse()?,
            informer: informer.map(Box::new),
            decision_due: None,
        };
        let mut work = store.begin(&viewer, None);
        work.run::<ViolationReport>(id, None, command).await?;
        work.commit(None).await.map_err(zhixing_event_store::Error::from)?;
        Ok(())
    }
}

fn cases(store: &EventStore, vault: &Vault, length: Duration) -> Vec<Case> {
    let submitter = |vault: Option<&Vault>| Submitter { store: store.clone(), vault: vault.cloned() };
    let each = |callers: usize| {
        [
            Case::calling(PLAIN, length, (0..callers).map(|_| submitter(None)).collect()),
            Case::calling(SEALED, length, (0..callers).map(|_| submitter(Some(vault))).collect()),
        ]
    };
    CALLERS.into_iter().flat_map(each).collect()
}

async fn measure(
    title: &str,
    store: &EventStore,
    directory: &Path,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), Fault> {
    let master = MasterSource::File(directory.join("master.key"));
    let url = format!("sqlite:{}", directory.join("keys.db").display());
    let vault = Vault::open_at(&url, master, Arc::new(SystemClock)).await?;
    let mut cases = cases(store, &vault, settings.length());
    rounds("sealed", settings, &mut cases).await?;
    let mut section = Section::new(title, "reports/s", &["report in plain, same callers"]);
    for case in &cases {
        let plain = find(&cases, PLAIN, case.callers).map(|plain| plain.median().per_second);
        section.row(case, vec![plain.map(|plain| case.median().per_second / plain)]);
    }
    section.note("The key store is a SQLite file of its own; a key is safe on disk before it seals.");
    report.add(section);
    for callers in CALLERS {
        let time = |what: &str| find(&cases, what, callers).map(|case| 1.0 / case.median().per_second);
        let ratio = time(SEALED).zip(time(PLAIN)).map(|(sealed, plain)| sealed / plain);
        report.at_most(format!("{title}: time of a sealed report ÷ plain, {callers} callers"), 1.3, ratio);
    }
    vault.close().await;
    Ok(())
}

/// On PostgreSQL.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_postgres(server: &Server, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let keys = tempfile::Builder::new().prefix("zhixing-bench.").tempdir_in(&settings.data)?;
    let store = store::open(&server.database("sealed").await?).await?;
    measure("Sealed fields on PostgreSQL", &store, keys.path(), settings, report).await?;
    store.pool().close().await;
    Ok(())
}

/// On SQLite.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_sqlite(directory: &Path, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let store = store::sqlite(directory, "sealed").await?;
    measure("Sealed fields on SQLite", &store, directory, settings, report).await?;
    store.pool().close().await;
    Ok(())
}
