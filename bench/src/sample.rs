//! The event that is appended everywhere alike: a report of progress of about 300 bytes.
use uuid::Uuid;
use zhixing_domain::{Kind, programme::task::TaskEvent};
use zhixing_event_store::{
    EventStore, Recorded,
    append::{Append, Extension},
};

/// What was reported: some 80 Chinese characters of three bytes each.
pub const NOTE: &str = "完成重点产品监督抽查三百二十批次，合格率百分之九十六点三，不合格产品已依法处理并向社会公布；\
     开展质量提升服务活动，走访企业四十六家，解决计量检定难题九件，另有十二家企业正在整改。";

/// The event with this many percent.
pub fn progress(percent: i32) -> TaskEvent {
    TaskEvent::ProgressReported { percent, note: NOTE.into(), evidence: Vec::new() }
}

/// Its payload as JSON, as the log keeps it.
pub fn payload() -> String {
    serde_json::json!({ "percent": 50, "note": NOTE, "evidence": [] }).to_string()
}

/// One event as it goes into the log.
pub fn event(store: &EventStore, stream_id: Uuid, version: i64, name: &str, data: String) -> Recorded {
    let now = store.clock().now();
    Recorded {
        position: 0,
        kind: Kind::Task,
        stream_id,
        version,
        id: store.clock().new_id(),
        r#type: name.into(),
        schema_version: 1,
        data,
        actor: "officer".into(),
        actor_unit: None,
        method: "SYSTEM".into(),
        region_code: "620000".parse().ok(),
        status_from: Some("IN_PROGRESS".into()),
        status_to: Some("IN_PROGRESS".into()),
        correlation_id: store.clock().new_id(),
        causation_id: None,
        command_id: None,
        happened_at: now,
        recorded_at: now,
        hash: Vec::new(),
    }
}

/// An append of one event to one stream.
pub fn append(store: &EventStore, stream_id: Uuid, version: i64) -> Append {
    let event = event(store, stream_id, version, "TaskProgressReported", payload());
    let extension = Extension { stream_id, expected: version - 1, events: vec![event], claims: Vec::new() };
    Append { streams: vec![extension], ..Append::default() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_event_has_about_300_bytes() {
        assert!((280..=330).contains(&super::payload().len()), "{}", super::payload().len());
    }
}
