//! What an operator does at the terminal, with the program itself: verify, sign, prove, export, back up, restore.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]
#[cfg(unix)]
#[path = "operations/chaos.rs"]
mod chaos;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use sqlx::AssertSqlSafe;
use zhixing_domain::Clock;
use zhixing_event_store::SystemClock;

/// A directory with a log of one imported plan.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn with_a_plan() -> Self {
        let place = Self::empty();
        let plan =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reference/plans/hunan-2009-measures.json");
        place.good(&["import", plan.to_str().unwrap()]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_zhixing"))
            .current_dir(self.directory.path())
            .args(arguments)
            .output()
            .unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// What it says when it fails.
    fn bad(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            !output.status.success(),
            "{arguments:?} did not fail: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts a service that appends nothing by itself; it, and its address.
    #[cfg(unix)]
    fn serve(&self, arguments: &[&str]) -> (Child, String) {
        self.serve_saying(arguments, Stdio::inherit())
    }

    /// The same, with its log in a file.
    #[cfg(unix)]
    fn serve_saying(&self, arguments: &[&str], log: Stdio) -> (Child, String) {
        self.serve_saying_with(arguments, log, "false")
    }

    /// The same, with the scheduler or without.
    #[cfg(unix)]
    fn serve_saying_with(&self, arguments: &[&str], log: Stdio, scheduler: &str) -> (Child, String) {
        let mut service = Command::new(env!("CARGO_BIN_EXE_zhixing"))
            .current_dir(self.directory.path())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("ZHIXING_SCHEDULER", scheduler)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let address = |line: String| {
            let rest = line.trim().strip_prefix("Health")?.trim().split(' ').next()?.strip_suffix("/healthz");
            rest.map(str::to_owned)
        };
        let mut lines = BufReader::new(service.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(address).unwrap();
        (service, url)
    }

    async fn by_hand(&self, sql: &str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path("data/zhixing.db"));
        let db = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&db).await.unwrap();
        db.close().await;
    }

    fn positions(&self, name: &str) -> Vec<i64> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.ends_with('\n'));
        text.lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                assert_eq!(event["specversion"], "1.0");
                event["sequence"].as_str().unwrap().parse().unwrap()
            })
            .collect()
    }
}

/// Ends a service as an operator does.
#[cfg(unix)]
fn stop(mut service: Child) {
    let stopped = Command::new("kill").args(["-TERM", &service.id().to_string()]).status().unwrap();
    assert!(stopped.success() && service.wait().unwrap().success());
}

/// The number before `word` in what was said.
fn number_before(said: &str, word: &str) -> i64 {
    let words: Vec<&str> = said.split_whitespace().collect();
    let at = words.iter().position(|found| found.starts_with(word)).unwrap();
    words[at - 1].parse().unwrap()
}

#[tokio::test]
async fn a_row_altered_by_hand_is_caught() {
    let place = Place::with_a_plan();
    assert!(place.good(&["verify"]).starts_with("The log is whole: "));
    place.by_hand("update events set actor = 'somebody else' where position = 7").await;
    let said = place.bad(&["verify"]);
    assert!(
        said.contains("the log is broken at position 7: the event is not the one that was written"),
        "{said}"
    );
}

#[tokio::test]
async fn an_event_is_proved_far_from_the_database() {
    let place = Place::with_a_plan();
    let key = {
        place.good(&["checkpoint"]);
        place.good(&["checkpoint", "--show-key"]).trim().to_owned()
    };
    fs::write(place.path("proof.json"), place.good(&["prove", "5"])).unwrap();
    let far = Place::empty();
    fs::copy(place.path("proof.json"), far.path("proof.json")).unwrap();
    let said = far.good(&["verify-proof", "proof.json", "--key", &key]);
    assert!(said.starts_with("Proved: ") && said.contains("position 5"), "{said}");
    assert_eq!(fs::read_dir(far.directory.path()).unwrap().count(), 1, "nothing is opened or made");

    let text = fs::read_to_string(far.path("proof.json")).unwrap();
    fs::write(far.path("altered.json"), text.replace("\"actor\": \"", "\"actor\": \"x")).unwrap();
    let said = far.bad(&["verify-proof", "altered.json", "--key", &key]);
    assert!(said.contains("the event at position 5 in this proof was altered"), "{said}");
    fs::write(far.path("not.json"), "{").unwrap();
    assert!(far.bad(&["verify-proof", "not.json", "--key", &key]).contains("not.json is no proof"));
    let stranger = Place::with_a_plan();
    stranger.good(&["checkpoint"]);
    let other = stranger.good(&["checkpoint", "--show-key"]).trim().to_owned();
    let said = far.bad(&["verify-proof", "proof.json", "--key", &other]);
    assert!(said.contains("is signed by the key"), "{said}");
    assert!(far.bad(&["verify-proof", "proof.json", "--key", "zhixing+00+AA"]).contains("not a public key"));
}

#[tokio::test]
async fn an_export_is_continued_where_it_ended() {
    let place = Place::with_a_plan();
    let head = number_before(&place.good(&["verify"]), "events");
    place.good(&["export", "--output", "whole.ndjson"]);
    let whole = fs::read(place.path("whole.ndjson")).unwrap();
    assert_eq!(place.positions("whole.ndjson"), (1..=head).collect::<Vec<_>>());
    // To standard output it is the same, byte for byte.
    assert_eq!(place.run(&["export"]).stdout, whole);

    // Torn anywhere, it is made whole again.
    for cut in [0, 1, 40, whole.len() / 2, whole.len() - 1, whole.len()] {
        fs::write(place.path("torn.ndjson"), &whole[..cut]).unwrap();
        place.good(&["export", "--output", "torn.ndjson"]);
        assert!(fs::read(place.path("torn.ndjson")).unwrap() == whole, "cut at {cut}");
    }
    place.good(&["export", "--to", "4", "--output", "part.ndjson"]);
    assert_eq!(place.positions("part.ndjson"), [1, 2, 3, 4]);
    place.good(&["export", "--to", "6", "--output", "part.ndjson"]);
    assert_eq!(place.positions("part.ndjson"), [1, 2, 3, 4, 5, 6]);
    place.good(&[
        "export",
        "--after",
        "4",
        "--to",
        "6",
        "--source",
        "https://quality.example.cn",
        "--output",
        "two.ndjson",
    ]);
    assert_eq!(place.positions("two.ndjson"), [5, 6]);

    // What is not such an export is left as it is.
    for (text, arguments) in [
        ("dear to somebody", &["export", "--output", "kept"][..]),
        ("dear\nto somebody\n", &["export", "--output", "kept"]),
        (fs::read_to_string(place.path("two.ndjson")).unwrap().as_str(), &["export", "--output", "kept"]),
        (
            fs::read_to_string(place.path("part.ndjson")).unwrap().as_str(),
            &["export", "--after", "2", "--output", "kept"],
        ),
        (
            fs::read_to_string(place.path("part.ndjson")).unwrap().as_str(),
            &["export", "--source", "/other", "--output", "kept"],
        ),
    ] {
        fs::write(place.path("kept"), text).unwrap();
        let said = place.bad(arguments);
        assert!(said.contains("is no export that can be continued"), "{said}");
        assert_eq!(fs::read_to_string(place.path("kept")).unwrap(), text);
    }
    let beyond = (head + 1).to_string();
    assert!(place.bad(&["export", "--to", &beyond]).contains("lies behind the end of the log"));
}

#[tokio::test]
async fn a_bad_row_ends_an_export_by_name_and_keeps_what_is_before_it() {
    for (damage, words) in [
        ("update events set kind = 'SPACESHIP' where position = 6", "the event at position 6"),
        ("update events set data = '{' where position = 6", "the event at position 6"),
        ("delete from events where position = 6", "the log is broken at position 6"),
    ] {
        let place = Place::with_a_plan();
        place.by_hand(damage).await;
        let said = place.bad(&["export", "--output", "part.ndjson"]);
        assert!(said.contains(words), "{said}");
        assert_eq!(place.positions("part.ndjson"), [1, 2, 3, 4, 5]);
    }
}

#[tokio::test]
async fn a_backup_comes_back_and_a_later_checkpoint_tells_that_it_is_older() {
    let place = Place::with_a_plan();
    place.good(&["checkpoint"]);
    let then = number_before(&place.good(&["verify"]), "events");
    place.good(&["backup", "copy.db"]);
    assert!(place.bad(&["backup", "copy.db"]).contains("copy.db exists already"));
    let plan = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../reference/plans/gansu-2011-quality-revitalisation.json");
    place.good(&["import", plan.to_str().unwrap()]);
    place.good(&["checkpoint"]);
    let now = number_before(&place.good(&["verify"]), "events");
    assert!(place.bad(&["restore", "copy.db"]).contains("is not empty"));

    place.good(&["restore", "copy.db", "--data", "restored"]);
    let said = place.good(&["verify", "--data", "restored"]);
    assert_eq!(number_before(&said, "events"), then);
    assert!(said.contains("NOT checked"), "without the key this is said: {said}");
    fs::copy(place.path("data/signing.key"), place.path("restored/signing.key")).unwrap();
    assert!(!place.good(&["verify", "--data", "restored"]).contains("NOT checked"));
    fs::copy(place.path("data/checkpoint.json"), place.path("restored/checkpoint.json")).unwrap();
    let expected = format!(
        "checkpoint at position {now} is ahead of the log's head {then}: this log was restored from an older backup or cut"
    );
    assert!(place.bad(&["verify", "--data", "restored"]).contains(&expected));
    assert!(place.bad(&["checkpoint", "--data", "restored"]).contains(&expected));

    // A log that lost events is another log: it goes on under another key, and the old checkpoint is kept aside.
    fs::rename(place.path("restored/checkpoint.json"), place.path("lost.json")).unwrap();
    fs::rename(place.path("restored/signing.key"), place.path("old.key")).unwrap();
    assert!(place.bad(&["checkpoint", "--data", "restored"]).contains("there is no signing key at"));
    place.good(&["checkpoint", "--data", "restored", "--new-key"]);
    let old = place.good(&["checkpoint", "--show-key", "--signing-key", "old.key"]);
    let said = place.good(&["verify", "--data", "restored", "--key", old.trim()]);
    assert!(!said.contains("NOT checked"), "{said}");
    let said = place.bad(&["verify", "--data", "restored", "--checkpoint", "lost.json", "--key", old.trim()]);
    assert!(said.contains(&expected), "{said}");
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let place = Place::with_a_plan();
    place.good(&["backup", "copy.db"]);
    let bytes = fs::read(place.path("copy.db")).unwrap();
    fs::write(place.path("cut.db"), &bytes[..bytes.len() / 2]).unwrap();
    assert!(place.bad(&["restore", "cut.db", "--data", "new"]).contains("the database file is damaged"));
    assert_eq!(fs::read_dir(place.path("new")).unwrap().count(), 0);
    let said = place.bad(&["restore", "copy.db", "--database", "postgres://localhost/zhixing"]);
    assert!(said.contains("leave out --database"), "{said}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_service_signs_at_its_start_and_at_its_end_and_shows_it_to_everybody() {
    let place = Place::with_a_plan();
    let (service, url) = place.serve(&[]);
    let head = number_before(&place.good(&["verify"]), "events");
    let mut shown = None;
    for _ in 0..200 {
        let answer = reqwest::get(format!("{url}/log/checkpoint")).await.unwrap();
        if answer.status() == 200 {
            shown = Some(answer.json::<Value>().await.unwrap());
            break;
        }
        assert_eq!(answer.status(), 404);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let shown = shown.unwrap();
    assert_eq!(shown["position"], head);
    assert!(shown["note"].as_str().unwrap().starts_with(&format!("zhixing\n{head}\n")));
    // What was shown can be held against the log.
    fs::write(place.path("shown.json"), shown.to_string()).unwrap();
    place.good(&["verify", "--checkpoint", "shown.json"]);
    let plan = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../reference/plans/gansu-2011-quality-revitalisation.json");
    place.good(&["import", plan.to_str().unwrap()]);
    stop(service);
    let later = number_before(&place.good(&["verify"]), "events");
    assert!(later > head);
    let kept: Value = serde_json::from_slice(&fs::read(place.path("data/checkpoint.json")).unwrap()).unwrap();
    assert_eq!(kept["position"], later);
}

#[test]
fn a_bad_calendar_stops_the_start_and_says_where() {
    let place = Place::empty();
    let directory = place.path("calendars");
    fs::create_dir(&directory).unwrap();
    let year = r#"{ "year": 2027, "version": 1, "holidays": [], "workingDays": [{ "date": "2027-01-04", "name": "元旦" }],
        "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-11-23" } }"#;
    fs::write(directory.join("2027.json"), year).unwrap();
    let said = place.bad(&["serve", "--listen", "127.0.0.1:0", "--calendars", directory.to_str().unwrap()]);
    assert!(said.contains("2027.json: workingDays[0].date: is no day of a weekend"), "{said}");
    assert!(!place.path("data").exists(), "nothing was begun");
    // Two versions of a limit with a day between them on which none is in force.
    let rules = place.path("rules");
    fs::create_dir(&rules).unwrap();
    let version = |from: &str, to: &str| {
        format!(
            r#"{{ "code": "A", "name": "某期限", "value": 5, "unit": "WORKING_DAYS", "validFrom": "{from}"{to},
            "citation": "某办法第一条" }}"#
        )
    };
    let (first, second) = (version("2010-01-01", r#", "validTo": "2019-12-31""#), version("2020-01-02", ""));
    fs::write(rules.join("a.json"), format!(r#"{{ "subject": "某", "rules": [{first}, {second}] }}"#))
        .unwrap();
    let said = place.bad(&["serve", "--listen", "127.0.0.1:0", "--rules", rules.to_str().unwrap()]);
    assert!(said.contains("a.json: rules[1].validFrom") && said.contains("leaves a hole"), "{said}");
    let said = place.bad(&["serve", "--listen", "127.0.0.1:0", "--rules", "nowhere"]);
    assert!(said.contains("nowhere cannot be read"), "{said}");
}

#[cfg(unix)]
#[test]
fn what_other_calendars_would_move_is_told_beforehand() {
    let place = Place::with_a_plan();
    let nothing = "Calendars and time limits are those that the service last ran with.\n";
    stop(place.serve(&[]).0);
    assert_eq!(place.good(&["time", "moved"]), nothing);
    let directory = place.path("calendars");
    fs::create_dir(&directory).unwrap();
    let year = r#"{ "year": 2027, "version": 1, "holidays": [], "workingDays": [],
        "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-11-23" } }"#;
    fs::write(directory.join("2027.json"), year).unwrap();
    let calendars = ["--calendars", directory.to_str().unwrap()];
    let told = || place.good(&[&["time", "moved"], calendars.as_slice()].concat());
    for _ in 0..2 {
        assert_eq!(told(), "calendar 2027: none -> version 1\nNo deadline moves.\n", "it records nothing");
    }
    stop(place.serve(&calendars).0);
    assert_eq!(told(), nothing, "the service remembers what it ran with");
}

/// With a certificate the program itself speaks TLS, stops in order, and says what is wrong with the files.
#[cfg(unix)]
#[test]
fn the_service_speaks_tls() {
    let place = Place::empty();
    let made = rcgen::generate_simple_self_signed(vec!["desk.example".to_owned()]).unwrap();
    fs::write(place.path("cert.pem"), made.cert.pem()).unwrap();
    fs::write(place.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let said =
        place.bad(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", "cert.pem", "--tls-key", "cert.pem"]);
    assert!(said.contains("cert.pem holds no private key in PEM"), "{said}");
    let said = place.bad(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", "cert.pem"]);
    assert!(said.contains("TLS needs both"), "{said}");
    let (service, url) =
        place.serve(&["--samples", "false", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    assert_eq!(place.good(&["health", "--url", &format!("{url}/readyz")]).trim(), "ready");
    place.bad(&["health", "--url", &format!("{}/readyz", url.replace("https", "http"))]);
    stop(service);
}

/// The files below a directory that hold these bytes.
fn holding(directory: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    found
}

async fn graphql(url: &str, token: &str, query: &str, input: Value) -> Value {
    let body = serde_json::json!({ "query": query, "variables": { "input": input } });
    let request = reqwest::Client::new().post(format!("{url}/graphql")).json(&body);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(answer.get("errors").is_none(), "{answer}");
    answer["data"].clone()
}

#[cfg(unix)]
#[tokio::test]
async fn who_an_informer_is_stands_in_no_file_log_metric_export_or_backup() {
    const SECRETS: [&str; 3] = ["欧阳明月", "13800138000", "人民路8号欧阳家"];
    const OPEN: &str = "mutation($input: OpenInformerIdentity!) { openInformerIdentity(input: $input) {
        informer { name phone address } errors { code message } } }";
    let place = Place::empty();
    let log = fs::File::create(place.path("service.log")).unwrap();
    let (service, url) = place.serve_saying(&["--samples", "false", "--log", "trace"], log.into());
    let submit = "mutation($input: SubmitViolationReport!) { submitViolationReport(input: $input) { number errors { message } } }";
    let input = serde_json::json!({ "category": "OTHER", "subject": "缺斤短两", "details": "秤不准", "regionCode": "440800",
        "informer": { "name": SECRETS[0], "phone": SECRETS[1], "address": SECRETS[2] } });
    let submitted = graphql(&url, "", submit, input).await;
    assert!(submitted["submitViolationReport"]["number"].is_string(), "{submitted}");
    let (ivy, ann) = ("dev:ivy:INSPECTOR", "dev:ann:LEADING_GROUP_OFFICE");
    let ids = "query($input: String) { violationReports(where: { number: $input }) { nodes { id } } }";
    let id = graphql(&url, ivy, ids, Value::Null).await["violationReports"]["nodes"][0]["id"].clone();
    let ask = "mutation($input: RequestInformerIdentity!) { requestInformerIdentity(input: $input) { errors { code } } }";
    graphql(&url, ivy, ask, serde_json::json!({ "id": id, "reason": "核实" })).await;
    let approve = "mutation($input: ApproveInformerIdentity!) { approveInformerIdentity(input: $input) { errors { code } } }";
    let request = serde_json::json!({ "id": id, "request": 1 });
    graphql(&url, ann, approve, request.clone()).await;
    let opened = graphql(&url, ivy, OPEN, request.clone()).await;
    let expected = serde_json::json!({ "name": SECRETS[0], "phone": SECRETS[1], "address": SECRETS[2] });
    assert_eq!(opened["openInformerIdentity"]["informer"], expected);
    let metrics = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    fs::write(place.path("metrics.txt"), metrics).unwrap();
    place.good(&["backup", "copy.db"]);
    place.good(&["export", "--output", "events.ndjson"]);

    // What was not sealed is found: the search works, and the log is not empty.
    for name in ["copy.db", "events.ndjson"] {
        assert!(holding(place.directory.path(), "秤不准".as_bytes()).contains(&place.path(name)), "{name}");
    }
    assert!(holding(place.directory.path(), b"admitted").contains(&place.path("service.log")));
    for secret in SECRETS {
        let found = holding(place.directory.path(), secret.as_bytes());
        assert!(found.is_empty(), "{secret} stands in {found:?}");
    }
    // Keys are apart: neither the copy nor the database of the log has a table of them.
    let tables = holding(place.directory.path(), b"person_keys");
    for apart in ["copy.db", "events.ndjson", "data/zhixing.db", "data/zhixing.db-wal"] {
        assert!(!tables.contains(&place.path(apart)), "{apart} has keys");
    }
    assert!(tables.iter().any(|path| path.starts_with(place.path("data"))));

    // The master key is rotated while the service runs; it goes on reading.
    let rotated = place.good(&["keys", "rotate-master"]);
    assert!(rotated.contains("keys wrapped anew: ") && !rotated.contains("anew: 0"), "{rotated}");
    assert_eq!(graphql(&url, ivy, OPEN, request.clone()).await["openInformerIdentity"]["informer"], expected);
    let erase = "mutation($input: EraseInformerIdentity!) { eraseInformerIdentity(input: $input) {
        violationReport { informerIdentity } errors { code } } }";
    let erased = graphql(&url, ann, erase, serde_json::json!({ "id": id, "reason": "本人要求" })).await;
    assert_eq!(erased["eraseInformerIdentity"]["violationReport"]["informerIdentity"], "ERASED");
    let refused = graphql(&url, ivy, OPEN, request).await;
    assert_eq!(refused["openInformerIdentity"]["errors"][0]["code"], "RULE_VIOLATION");
    stop(service);
    // The log is whole, the views are its fold, and the export goes on where it ended.
    assert!(place.good(&["verify"]).starts_with("The log is whole: "));
    place.good(&["rebuild"]);
    place.good(&["export", "--output", "events.ndjson"]);
    assert_eq!(place.positions("events.ndjson"), (1..=7).collect::<Vec<_>>());
    assert!(place.bad(&["keys", "init"]).contains("never overwritten"));

    // Another master key is named, and nothing is served with it.
    fs::remove_file(place.path("data/master.key")).unwrap();
    assert!(place.bad(&["serve", "--listen", "127.0.0.1:0"]).contains("there is no master key"));
    place.good(&["keys", "init"]);
    let said = place.bad(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(said.contains("is not the one of the key store"), "{said}");
}

#[tokio::test]
async fn the_first_administrator_is_granted_at_the_terminal() {
    let place = Place::empty();
    let settings = "samples = false\n[[identity.providers]]\nname = \"gov\"\nissuer = \"https://id.example.cn\"\n\
        audience = \"zhixing\"\n";
    fs::write(place.path("zhixing.toml"), settings).unwrap();
    let grant = ["grant", "administrator", "--issuer", "https://id.example.cn", "--subject", "ann"];
    let said = place.good(&grant);
    assert!(said.starts_with("gov:ann is granted ADMINISTRATOR in 100000"), "{said}");
    let said = place.bad(&grant);
    assert!(said.contains("already"), "granted once: {said}");
    let said = place.bad(&["grant", "administrator", "--issuer", "https://other.cn", "--subject", "ann"]);
    assert!(said.contains("they trust: https://id.example.cn"), "{said}");
    assert!(place.bad(&["grant", "king", "--issuer", "x", "--subject", "ann"]).contains("ROLE"));
    let help = place.good(&["grant", "--help"]);
    assert!(help.contains("zhixing grant administrator --issuer"), "{help}");
    place.good(&["export", "--output", "events.ndjson"]);
    let event: Value = serde_json::from_str(
        fs::read_to_string(place.path("events.ndjson")).unwrap().lines().next().unwrap(),
    )
    .unwrap();
    assert_eq!(
        (&event["type"], &event["data"]["actor"]),
        (&"cn.zhixing.RoleGrantGranted.v1".into(), &"gov:ann".into())
    );
    assert!(place.good(&["verify"]).starts_with("The log is whole: 1 "));
}

#[cfg(unix)]
#[tokio::test]
async fn a_service_key_issued_at_the_terminal_lets_its_system_in() {
    let place = Place::empty();
    fs::write(place.path("zhixing.toml"), "samples = false\n").unwrap();
    let (service, url) = place.serve(&[]);
    let http = reqwest::Client::new();
    let ask = async |token: &str, query: &str| -> Value {
        let request = http.post(format!("{url}/graphql")).bearer_auth(token);
        let request = request.json(&serde_json::json!({ "query": query }));
        request.send().await.unwrap().json().await.unwrap()
    };
    let register =
        "mutation { registerUnit(input: { name: \"信用中心\", kind: DEPARTMENT, regionCode: \"620000\" }) {
        unit { id } } }";
    let unit = ask("dev:ann:LEADING_GROUP_OFFICE", register).await;
    let unit = unit["data"]["registerUnit"]["unit"]["id"].as_str().unwrap();
    let tomorrow = (SystemClock.now() + chrono::Duration::days(1)).date_naive().to_string();
    let issue = |role| {
        [
            "keys",
            "issue-service-key",
            "--name",
            "Credit",
            "--unit",
            unit,
            "--region",
            "620000",
            "--expires-on",
            &tomorrow,
        ]
        .into_iter()
        .chain(["--role", role])
        .map(str::to_owned)
        .collect::<Vec<_>>()
    };
    let words = issue("integrator");
    let token = place.good(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let viewer = ask(token.trim(), "{ viewer { roles authenticationMethod } }").await;
    let known = serde_json::json!({ "roles": ["INTEGRATOR"], "authenticationMethod": "SERVICE_KEY" });
    assert_eq!(viewer["data"]["viewer"], known, "{viewer}");
    let words = issue("leading-group-office");
    let said = place.bad(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!said.is_empty());
    stop(service);
}

#[cfg(unix)]
#[tokio::test]
async fn bundles_are_carried_to_a_replica_that_can_only_be_read() {
    let place = Place::with_a_plan();
    let said = place.bad(&["bundle", "create", "--after", "0", "none.ndjson"]);
    assert!(said.contains("there is no signing key"), "{said}");
    place.good(&["checkpoint"]);
    let key = place.good(&["checkpoint", "--show-key"]).trim().to_owned();
    let middle = number_before(&place.good(&["verify"]), "events");
    let source = ["--source", "https://quality.example.cn"];
    let create = |arguments: &[&str]| place.good(&[&["bundle", "create"], arguments, &source].concat());
    let said = create(&["--after", "0", "--to", "40", "1.ndjson"]);
    assert!(said.contains("1.ndjson holds 40 events, positions 1 to 40; signed by the key"), "{said}");
    assert!(said.contains("Begin the next one with --after 40."), "{said}");
    create(&["--after", "40", "2.ndjson.gz"]);
    let plan = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../reference/plans/gansu-2011-quality-revitalisation.json");
    place.good(&["import", plan.to_str().unwrap()]);
    let after = middle.to_string();
    create(&["--after", &after, "3.ndjson"]);
    assert!(place.bad(&["bundle", "create", "--after", "0", "1.ndjson"]).contains("never overwritten"));
    let beyond = "1000000";
    assert!(
        place.bad(&["bundle", "create", "--after", beyond, "n.ndjson"]).contains("behind the end of the log")
    );
    let head = number_before(&place.good(&["verify"]), "events");

    // Far away there is no database to check them with.
    let far = Place::empty();
    for name in ["1.ndjson", "2.ndjson.gz", "3.ndjson"] {
        fs::copy(place.path(name), far.path(name)).unwrap();
    }
    let said = far.good(&["bundle", "verify", "3.ndjson", "1.ndjson", "2.ndjson.gz", "--key", &key]);
    let at = |name: &str| said.find(name).unwrap();
    assert!(at("1.ndjson") < at("2.ndjson.gz") && at("2.ndjson.gz") < at("3.ndjson"), "{said}");
    assert!(said.contains("the log begins") && !said.contains("MISSING"), "{said}");
    let said = far.good(&["bundle", "verify", "1.ndjson"]);
    assert!(said.contains("proves nothing of who made them"), "{said}");
    let said = far.bad(&["bundle", "verify", "3.ndjson", "1.ndjson", "--key", &key]);
    assert!(said.contains(&format!("positions 41 to {middle} are missing: 3.ndjson follows")), "{said}");
    assert!(!far.path("data").exists(), "nothing is opened or made");

    // The first time somebody must say whom to trust.
    assert!(far.bad(&["bundle", "apply", "1.ndjson"]).contains("name it with --key"));
    let said = far.good(&["bundle", "apply", "2.ndjson.gz", "1.ndjson", "--key", &key]);
    assert!(
        said.contains(&format!("{middle} events applied; this replica of https://quality.example.cn")),
        "{said}"
    );
    assert!(far.good(&["bundle", "apply", "1.ndjson"]).contains("Nothing was new"));
    assert!(far.good(&["verify"]).starts_with(&format!("The log is whole: {middle} events")));
    let text = fs::read_to_string(far.path("3.ndjson")).unwrap();
    fs::write(far.path("altered.ndjson"), text.replacen("\"actor\":\"", "\"actor\":\"x", 1)).unwrap();
    let said = far.bad(&["bundle", "apply", "altered.ndjson"]);
    assert!(said.contains(&format!("the event at position {} was altered", middle + 1)), "{said}");
    let output = far.run(&["import", plan.to_str().unwrap()]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let named = said.contains("this database is a replica of https://quality.example.cn");
    assert!(!output.status.success() && named, "{said}");

    // Served, it grows on, and neither signs nor announces anything, although everything of the plan is long overdue.
    let (service, url) = far.serve_saying_with(&[], Stdio::inherit(), "true");
    let ask = async |query: &str| {
        let body = serde_json::json!({ "query": query });
        let request = reqwest::Client::new().post(format!("{url}/graphql")).json(&body);
        let request = request.bearer_auth("dev:ann:LEADING_GROUP_OFFICE");
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let said = far.good(&["bundle", "apply", "3.ndjson"]);
    assert!(said.contains(&format!("{} events applied", head - middle)), "{said}");
    let plans = ask("{ plans { nodes { code } } }").await;
    assert_eq!(plans["data"]["plans"]["nodes"].as_array().unwrap().len(), 2, "{plans}");
    let refused = ask("mutation { registerUnit(input: { name: \"某局\", kind: DEPARTMENT, regionCode: \"440800\" }) { position } }").await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "READ_ONLY", "{refused}");
    let events = reqwest::Client::new().get(format!("{url}/events?after=0&limit=1"));
    let events = events.bearer_auth("dev:ann:LEADING_GROUP_OFFICE").header("accept", "application/json");
    let events: Value = events.send().await.unwrap().json().await.unwrap();
    assert_eq!(events["events"][0]["source"], "https://quality.example.cn");
    stop(service);
    assert!(far.good(&["verify"]).starts_with(&format!("The log is whole: {head} events")));
    assert!(!far.path("data/checkpoint.json").exists(), "a replica signs nothing by itself");
}
