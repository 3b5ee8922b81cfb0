//! The stream: made when it is missing, and asked where it ends.
use async_nats::jetstream::{
    Context, ErrorCode,
    context::GetStreamErrorKind,
    stream::{Config, Info, RawMessageErrorKind, RetentionPolicy, StorageType, Stream},
};
use zhixing_event_store::EventStore;

use super::{
    message::{POSITION, SOURCE, all_subjects},
    publisher::Trouble,
    settings::Settings,
};

/// Why nothing is published into a stream. Somebody has to look: no repetition helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The stream has events that the log has not.
    #[error(
        "the stream {stream} ends at position {position}, the log at {head}: the log was restored from an older backup, or the \
         stream is another log's; restore the newer log, or publish into a new stream (nats.stream)"
    )]
    Ahead {
        /// The stream.
        stream: String,
        /// Where it ends.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// The stream has other events than the log.
    #[error(
        "the stream {stream} holds another event at position {position} than this log: it was made by another log; publish \
         into a new stream (nats.stream)"
    )]
    OtherLog {
        /// The stream.
        stream: String,
        /// Where they differ.
        position: i64,
    },
    /// The stream is of another source.
    #[error(
        "the stream {stream} was made by the source {found}, this service is {expected} (delivery.source)"
    )]
    OtherSource {
        /// The stream.
        stream: String,
        /// Whose it is.
        found: String,
        /// Who we are.
        expected: String,
    },
    /// The stream holds what no log has published.
    #[error(
        "message {sequence} of the stream {stream} is no event at that position: something else published into it, or it did \
         not begin with the first event; publish into a new stream (nats.stream)"
    )]
    Foreign {
        /// The stream.
        stream: String,
        /// The message.
        sequence: u64,
    },
    /// The stream does not take the subjects of events.
    #[error("the stream {stream} takes the subjects {found}, not {expected}", expected = all_subjects())]
    Subjects {
        /// The stream.
        stream: String,
        /// What it takes.
        found: String,
    },
    /// An event is larger than the server takes.
    #[error(
        "the event at position {position} is larger than the {most} bytes that the server takes: raise max_payload there"
    )]
    TooLarge {
        /// Where it stands.
        position: i64,
        /// What the server takes.
        most: usize,
    },
}

/// The stream, made if it is missing. One that is there keeps the settings it has.
pub(super) async fn open(context: &Context, settings: &Settings) -> Result<Stream, Trouble> {
    let failed = |what: &str, error: String| Trouble::Failed(format!("the stream cannot be {what}: {error}"));
    let stream = match context.get_stream(&settings.stream).await {
        Ok(stream) => stream,
        Err(error) if is_missing(&error.kind()) => {
            let config = Config {
                name: settings.stream.clone(),
                description: Some("The log of events (Zhixing); message N is the event at position N".into()),
                subjects: vec![all_subjects()],
                retention: RetentionPolicy::Limits,
                storage: StorageType::File,
                num_replicas: settings.replicas.into(),
                deny_delete: true,
                deny_purge: true,
                ..Config::default()
            };
            context.create_stream(config).await.map_err(|error| failed("made", error.to_string()))?
        }
        Err(error) => return Err(failed("found", error.to_string())),
    };
    let subjects = &stream.cached_info().config.subjects;
    if subjects.len() != 1 || subjects[0] != all_subjects() {
        let found = subjects.join(", ");
        return Err(Refusal::Subjects { stream: settings.stream.clone(), found }.into());
    }
    Ok(stream)
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// The position where the stream ends: that of its last message, which must be this log's.
pub(super) async fn end(
    stream: &Stream,
    store: &EventStore,
    name: &str,
    source: &str,
) -> Result<i64, Trouble> {
    let name = || name.to_owned();
    let state: Info = stream.get_info().await.map_err(|error| Trouble::Failed(error.to_string()))?;
    let (sequence, messages) = (state.state.last_sequence, state.state.messages);
    if sequence == 0 {
        return Ok(0);
    }
    let position = i64::try_from(sequence).unwrap_or(i64::MAX);
    let head = store.pool().head().await?;
    if position > head {
        return Err(Refusal::Ahead { stream: name(), position, head }.into());
    }
    let last = match stream.get_raw_message(sequence).await {
        Ok(last) => last,
        // Whoever limited the age of messages may have none left: then there is nothing to compare.
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound && messages == 0 => {
            return Ok(position);
        }
        Err(error) => return Err(Trouble::Failed(format!("the last message cannot be read: {error}"))),
    };
    let header = |key: &str| last.headers.get(key).map(ToString::to_string).unwrap_or_default();
    if header(POSITION) != position.to_string() {
        return Err(Refusal::Foreign { stream: name(), sequence }.into());
    }
    if header(SOURCE) != source {
        let (found, expected) = (header(SOURCE), source.to_owned());
        return Err(Refusal::OtherSource { stream: name(), found, expected }.into());
    }
    let ours = store.pool().read_log(position - 1, 1).await?;
    if ours
        .first()
        .is_none_or(|event| event.position != position || event.id.to_string() != header("Nats-Msg-Id"))
    {
        return Err(Refusal::OtherLog { stream: name(), position }.into());
    }
    Ok(position)
}
