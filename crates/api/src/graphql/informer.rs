//! Informers (举报人): what they hand in, follow and are shown, and the only ways to who they are.
//!
//! Plain values stand here and in the answer to the one who may see them, nowhere else: they are sealed before anything is
//! decided, and opened after it was recorded that they are. So nothing that logs, traces, counts or refuses has them.
use std::sync::Arc;

use async_graphql::{Context, Error as Fault, ErrorExtensions, InputObject, Object, Result, SimpleObject};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use sha2::{Digest, Sha256};
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Rejection, Sealed, TimeReference, Viewer,
    complaints::violation_report::{
        ConfirmInformerIdentityErased, DecisionDue, EraseInformerIdentity, Informer, InformerIdentity,
        IntakeChannel, OpenInformerIdentity, SubmitViolationReport, ViolationCategory,
        ViolationReport as Domain, ViolationReportStatus,
    },
    sealed::Confidential,
    text,
    time::TimeUnit,
};
use zhixing_event_store::{Error, EventStore, Order};
use zhixing_vault::{PersonalKey, Place, Plain, Vault, VaultError, vault};

use super::{
    command::{self, answered, together},
    context::Ask,
    error::{self, UserError},
    event::{Event, Position},
    violation_report::{InformerIdentityOpening, ViolationReport},
};

/// The time limit for the decision whether a case is filed.
const DECISION: &str = "CASE_FILING";
/// Characters of a secret: no number is a secret that is longer.
const SECRET: usize = 64;

/// The vault, if the service has one.
#[derive(Clone, Debug, Default)]
pub struct Keys(pub Option<Vault>);

/// What is wrong with the keys, without a word of them: the log gets the rest.
fn without_keys(error: &VaultError) -> Fault {
    tracing::error!(%error, "the key store failed");
    no_keys()
}

fn no_keys() -> Fault {
    let message =
        "who an informer is can be neither kept nor shown at the moment: try again, or report without a name";
    Fault::new(message).extend_with(|_, extensions| extensions.set("code", "KEY_STORE_UNAVAILABLE"))
}

fn keys<'c>(ctx: &Context<'c>) -> Result<&'c Vault> {
    ctx.data_unchecked::<Keys>().0.as_ref().ok_or_else(no_keys)
}

fn place(id: Id<Domain>) -> Place {
    Place { kind: Kind::ViolationReport, id: id.uuid() }
}

/// Who tells of a violation; every field is sealed before it is kept, and shown to nobody without a second person's approval.
#[derive(InputObject)]
pub struct InformerInput {
    /// Their name, at most 100 characters.
    pub name: Option<String>,
    /// Their telephone, at most 100 characters.
    pub phone: Option<String>,
    /// Their address, at most 200 characters.
    pub address: Option<String>,
}

/// The same, wiped from memory when it is dropped.
struct Named {
    name: Option<Plain>,
    phone: Option<Plain>,
    address: Option<Plain>,
}

impl From<InformerInput> for Named {
    fn from(InformerInput { name, phone, address }: InformerInput) -> Self {
        Self { name: name.map(Plain::new), phone: phone.map(Plain::new), address: address.map(Plain::new) }
    }
}

impl Named {
    fn check(&self) -> Result<(), Rejection> {
        let fields = [
            ("informer.name", &self.name, text::SHORT),
            ("informer.phone", &self.phone, text::SHORT),
            ("informer.address", &self.address, text::TITLE),
        ];
        if fields.iter().all(|(_, plain, _)| plain.is_none()) {
            return Err(Rejection::invalid("informer", "says nothing: leave it out to stay anonymous"));
        }
        fields.iter().try_for_each(|(field, plain, limit)| {
            plain.as_ref().map_or(Ok(()), |plain| text::required(field, plain.reveal(), *limit))
        })
    }

    fn seal(&self, key: &PersonalKey, place: Place) -> Result<Informer, VaultError> {
        fn sealed<T: Confidential>(
            plain: Option<&Plain>,
            key: &PersonalKey,
            place: Place,
        ) -> Result<Option<Sealed<T>>, VaultError> {
            plain.map(|plain| key.seal(place, plain)).transpose()
        }
        Ok(Informer {
            key_id: key.id(),
            name: sealed(self.name.as_ref(), key, place)?,
            phone: sealed(self.phone.as_ref(), key, place)?,
            address: sealed(self.address.as_ref(), key, place)?,
        })
    }
}

/// Tells of a violation, by name or not (举报).
#[derive(InputObject)]
#[graphql(name = "SubmitViolationReport")]
pub struct Submission {
    /// By which way it came; all but WEB are for officials who write down what was said or written to them.
    #[graphql(default_with = "IntakeChannel::Web")]
    pub channel: IntakeChannel,
    /// What it is about.
    pub category: ViolationCategory,
    /// In one line, at most 200 characters. Officials read it: name yourself in `informer` only.
    pub subject: String,
    /// What happened, at most 5,000 characters. Officials read it: name yourself in `informer` only.
    pub details: String,
    /// Who is said to have done it, at most 200 characters.
    pub respondent: Option<String>,
    /// When it happened.
    pub occurred_on: Option<Date>,
    /// Where it happened.
    pub region_code: RegionCode,
    /// Who you are; left out, you stay anonymous.
    pub informer: Option<InformerInput>,
}

/// What somebody is given who told of a violation.
#[derive(Debug, Default, SimpleObject)]
pub struct SubmitViolationReportPayload {
    /// The number of the report.
    pub number: Option<String>,
    /// The secret to follow it with: it is told this once and kept nowhere.
    pub secret: Option<String>,
    /// By when it is decided whether the report is accepted.
    pub decision_due_on: Option<Date>,
    /// Position of the event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}
together!(SubmitViolationReportPayload, OpenInformerIdentityPayload);

/// Who an informer is. The answer is the only place where it is plain.
#[derive(Default, SimpleObject)]
pub struct OpenedInformer {
    /// Their name.
    pub name: Option<String>,
    /// Their telephone.
    pub phone: Option<String>,
    /// Their address.
    pub address: Option<String>,
}

/// What came of opening who an informer is.
#[derive(Default, SimpleObject)]
pub struct OpenInformerIdentityPayload {
    /// Who the informer is; null when it was refused.
    pub informer: Option<OpenedInformer>,
    /// Position of the event that it was opened.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

/// What came of erasing who an informer is.
#[derive(Debug, SimpleObject)]
pub struct EraseInformerIdentityPayload {
    /// The report after it; null when it was refused.
    pub violation_report: Option<ViolationReport>,
    /// What happened.
    pub events: Vec<Event>,
    /// Position of the last event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

/// How far a report of a violation has come, as its informer sees it (举报进度).
#[derive(Debug)]
pub struct ViolationReportProgress {
    report: ViolationReport,
}

/// How far a report of a violation has come, as its informer sees it (举报进度).
#[Object]
impl ViolationReportProgress {
    /// The number of the report.
    async fn number(&self) -> &str {
        &self.report.number
    }
    /// Where it stands.
    async fn status(&self) -> ViolationReportStatus {
        self.report.status
    }
    /// When it was received.
    async fn received_on(&self) -> Date {
        self.report.received_on
    }
    /// By when it is decided whether it is accepted.
    async fn decision_due_on(&self) -> Option<Date> {
        self.report.decision_due_on
    }
    /// When that was decided.
    async fn decided_on(&self) -> Option<Date> {
        self.report.decided_on
    }
    /// When it was last transferred.
    async fn transferred_on(&self) -> Option<Date> {
        self.report.transferred_on
    }
    /// When it was handled.
    async fn handled_on(&self) -> Option<Date> {
        self.report.handled_on
    }
    /// When it was closed.
    async fn closed_on(&self) -> Option<Date> {
        self.report.closed_on
    }
    /// What is kept of who you are.
    async fn informer_identity(&self) -> InformerIdentity {
        self.report.informer_identity
    }
    /// Every time that somebody was shown who you are, and of which unit they were.
    async fn informer_identity_openings(&self) -> &[InformerIdentityOpening] {
        &self.report.identity_openings
    }
}

fn digest(number: &str, secret: &str) -> String {
    hex::encode(Sha256::digest(format!("{number}|{secret}")))
}

/// By when it is decided whether a report of today is accepted. A report is taken also when that cannot be counted.
fn decision_due(time: &TimeReference, today: Date) -> Option<DecisionDue> {
    let limit = time.limits.on(DECISION, today).ok().filter(|limit| limit.unit == TimeUnit::WorkingDays)?;
    match time.calendar.add_working_days(today, limit.value) {
        Ok(due_on) => {
            let calendars = time.calendar.versions(today.next(), due_on);
            Some(DecisionDue { due_on, limit: limit.into(), calendars })
        }
        Err(error) => {
            tracing::warn!(%error, "the last day for the decision on a report of a violation is not known");
            None
        }
    }
}

async fn submit(ctx: &Context<'_>, input: Submission) -> Result<SubmitViolationReportPayload> {
    let Submission { channel, category, subject, details, respondent, occurred_on, region_code, informer } =
        input;
    let named = informer.map(Named::from);
    if let Some(Err(rejection)) = named.as_ref().map(Named::check) {
        return answered(ctx, Err(rejection.into()));
    }
    let store = ctx.store();
    let today = Date::of(store.clock().now());
    let chance = |random: Result<String, VaultError>| random.map_err(|error| without_keys(&error));
    let number = format!(
        "JB{}-{}",
        today.to_string().replace('-', ""),
        chance(vault::random_hex::<5>())?.to_uppercase()
    );
    let secret = chance(vault::random_hex::<16>())?;
    let id = Id::new(store.clock().new_id());
    let (key, sealed) = match &named {
        None => (None, None),
        Some(named) => {
            let vault = keys(ctx)?;
            let key = vault.new_key(Kind::ViolationReport).await.map_err(|error| without_keys(&error))?;
            let sealed = named.seal(&key, place(id)).map_err(|error| without_keys(&error))?;
            (Some((vault, key)), Some(sealed))
        }
    };
    drop(named);
    let decision_due = decision_due(ctx.data_unchecked::<Arc<TimeReference>>(), today);
    let decision_due_on = decision_due.as_ref().map(|due| due.due_on);
    let command = SubmitViolationReport {
        secret_digest: digest(&number, &secret),
        number: number.clone(),
        channel,
        category,
        subject,
        details,
        respondent,
        occurred_on,
        region_code,
        informer: sealed.map(Box::new),
        decision_due: decision_due.map(Box::new),
    };
    let mut work = store.begin(ctx.viewer(), None);
    if let Err(error) = work.run::<ViolationReport>(id, None, command).await {
        // What it sealed goes nowhere: it can be the next person's.
        if let (Some((vault, key)), Error::Rejected(_)) = (key, &error) {
            vault.give_back(Kind::ViolationReport, key);
        }
        return answered(ctx, Err(error));
    }
    let done = work.commit(None).await.map_err(Error::from).map(|events| SubmitViolationReportPayload {
        number: Some(number),
        secret: Some(secret),
        decision_due_on,
        position: events.last().map(|event| Position(event.position)),
        errors: Vec::new(),
    });
    answered(ctx, done)
}

fn order(
    viewer: &Viewer,
    command: &OpenInformerIdentity,
    dry_run: bool,
) -> Order<<Domain as zhixing_domain::Aggregate>::Command> {
    let command = command.clone().into();
    Order { viewer: viewer.clone(), command, command_id: None, expected_version: None, dry_run }
}

async fn open(ctx: &Context<'_>, input: OpenInformerIdentity) -> Result<OpenInformerIdentityPayload> {
    let (store, viewer) = (ctx.store(), ctx.viewer());
    // The rules first: whoever may not see it learns nothing of keys.
    let row = match store.execute::<ViolationReport>(order(viewer, &input, true)).await {
        Ok(receipt) => receipt.object,
        Err(error) => return answered(ctx, Err(error)),
    };
    let plain = match reveal(keys(ctx)?, &row).await {
        Ok(plain) => plain,
        Err(VaultError::Destroyed(_)) => {
            let rejection = Rejection::rule(Domain::ERASED, "who the informer is was erased", None);
            return answered(ctx, Err(rejection.into()));
        }
        Err(error) => return Err(without_keys(&error)),
    };
    // Only when it is on record that it was opened does anybody see it.
    let done = store.execute::<ViolationReport>(order(viewer, &input, false)).await;
    let said = |plain: &Option<Plain>| plain.as_ref().map(|plain| plain.reveal().to_owned());
    answered(
        ctx,
        done.map(|receipt| OpenInformerIdentityPayload {
            informer: Some(OpenedInformer {
                name: said(&plain.name),
                phone: said(&plain.phone),
                address: said(&plain.address),
            }),
            position: receipt.position.map(Position),
            errors: Vec::new(),
        }),
    )
}

async fn reveal(vault: &Vault, row: &ViolationReport) -> Result<Named, VaultError> {
    fn opened<T: Confidential>(
        key: &PersonalKey,
        place: Place,
        sealed: Option<&Sealed<T>>,
    ) -> Result<Option<Plain>, VaultError> {
        sealed.map(|sealed| key.open(place, sealed)).transpose()
    }
    let Some(id) = row.informer_key_id else { return Ok(Named { name: None, phone: None, address: None }) };
    let (key, place) = (vault.key(id).await?, place(row.life.id.0));
    Ok(Named {
        name: opened(&key, place, row.informer_name.as_ref())?,
        phone: opened(&key, place, row.informer_phone.as_ref())?,
        address: opened(&key, place, row.informer_address.as_ref())?,
    })
}

/// Why an erasure that was ordered is not finished.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// The key is still there.
    #[error(transparent)]
    Key(#[from] VaultError),
    /// It could not be recorded that it is gone.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Destroys the key of a report whose erasure was ordered, and then records that. What is cut off in between is done again.
///
/// # Errors
/// When the key store or the database fails.
pub async fn finish_erasure(
    store: &EventStore,
    vault: &Vault,
    row: &ViolationReport,
) -> Result<zhixing_event_store::Receipt<ViolationReport>, Unfinished> {
    if let Some(key) = row.informer_key_id {
        vault.destroy(key).await?;
    }
    let order = Order {
        viewer: Viewer::scheduler(),
        command: ConfirmInformerIdentityErased { id: row.life.id.0 }.into(),
        command_id: None,
        expected_version: None,
        dry_run: false,
    };
    Ok(store.execute::<ViolationReport>(order).await?)
}

/// What informers and those who may know them do.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "InformerMutations")]
impl Mutations {
    /// Tells of a violation, by name or not: anybody may (举报). The answer holds the number and, this once, the secret to
    /// follow it with. Who you are is sealed at once. An answer that is lost cannot be asked for again: report once more.
    async fn submit_violation_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is told.")] input: Submission,
    ) -> Result<SubmitViolationReportPayload> {
        submit(ctx, input).boxed().await
    }

    /// Opens who the informer is, for the person who asked and within 24 hours of another person's approval (查阅举报人身份).
    /// Every call is an event that the informer can see.
    async fn open_informer_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: OpenInformerIdentity,
    ) -> Result<OpenInformerIdentityPayload> {
        open(ctx, input).boxed().await
    }

    /// Erases who the informer is, for ever: the key is destroyed, and with it what it sealed in the log, its copies and its
    /// backups (销毁举报人身份).
    async fn erase_informer_identity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: EraseInformerIdentity,
    ) -> Result<EraseInformerIdentityPayload> {
        let vault = keys(ctx)?;
        let how = command::How::default();
        let command::Outcome { object, mut events, mut position, errors } =
            command::carry_out::<ViolationReport>(ctx, input, how).boxed().await?;
        let Some(ordered) = object else {
            return Ok(EraseInformerIdentityPayload { violation_report: None, events, position, errors });
        };
        let receipt =
            finish_erasure(ctx.store(), vault, &ordered).boxed().await.map_err(
                |unfinished| match unfinished {
                    Unfinished::Key(error) => without_keys(&error),
                    Unfinished::Store(error) => error::fault(error),
                },
            )?;
        ctx.session().forget();
        events.extend(receipt.events.into_iter().map(Event));
        position = receipt.position.map(Position).or(position);
        Ok(EraseInformerIdentityPayload { violation_report: Some(receipt.object), events, position, errors })
    }
}

/// Questions of informers.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "InformerQueries")]
impl Queries {
    /// How far your report of a violation has come; null when number or secret is another. For everybody.
    async fn track_violation_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number that you were given.")] number: String,
        #[graphql(desc = "The secret that you were given with it.")] secret: String,
    ) -> Result<Option<ViolationReportProgress>> {
        if number.chars().count() > text::SHORT {
            return Err(error::invalid("number", "is longer than 100 characters"));
        }
        if secret.chars().count() > SECRET {
            return Err(error::invalid("secret", "is longer than 64 characters"));
        }
        // Both at once: whether a number exists is nobody's business.
        let secret_digest = digest(number.trim(), secret.trim());
        let filter = Condition::all()
            .add(Expr::col("number").eq(number.trim()))
            .add(Expr::col("secret_digest").eq(secret_digest));
        let found =
            ctx.store().pool().all::<ViolationReport>(filter, 1).boxed().await.map_err(error::fault)?;
        Ok(found.into_iter().next().map(|report| ViolationReportProgress { report }))
    }
}
