-- What a unit measured of late, for the draft of its report.
create index measurements_of_reporter on measurements (reported_by_id, recorded_at);
