//! Settings: flags first, then the environment (`ZHIXING_…`), then a file, then what is usual.
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;
use zhixing_delivery::nats;
use zhixing_vault::MasterSource;

use crate::{
    address::{ForwardedHeader, Proxy},
    identity::settings::IdentitySettings,
    integration::{DeliverySettings, LONGEST_SOURCE},
    protocol::{Introspection, Limits},
};

/// A setting that nothing shows.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The database: `postgres://…` or `sqlite:FILE`; a SQLite file in `data` when left out.
    pub database: Option<String>,
    /// Where an embedded database is kept.
    pub data: PathBuf,
    /// Whether an empty log starts with the sample plans.
    pub samples: bool,
    /// Whether development tokens are taken; by default only when nobody but this machine can reach the service.
    pub development_tokens: Option<bool>,
    /// The key that signs checkpoints; `signing.key` in `data` when left out.
    pub signing_key: Option<PathBuf>,
    /// Where the keys of persons are: `postgres://…` or `sqlite:FILE`, never the database of the log; `keys.db` in `data` when
    /// left out.
    pub key_store: Option<String>,
    /// The master key that wraps them; `master.key` in `data` when left out.
    pub master_key: Option<PathBuf>,
    /// The master key itself instead of a file, as the environment gives it.
    pub master_key_text: Option<Secret>,
    /// How many minutes lie between two checkpoints; 0 for none.
    pub checkpoint_minutes: u64,
    /// Whether this process announces what falls due; of several processes one does.
    pub scheduler: bool,
    /// Whether the scheduler opens supervision items for tasks and reports that stay overdue.
    pub supervise: bool,
    /// A directory of further working-day calendars.
    pub calendars: Option<PathBuf>,
    /// A directory of further time limits.
    pub rules: Option<PathBuf>,
    /// A manifest of documents that may be asked for by id.
    pub documents: Option<PathBuf>,
    /// Whether nothing but the documents of the manifest is run.
    pub only_trusted_documents: bool,
    /// Who may ask what the schema holds; by default everybody where development tokens are taken, else who signed in.
    pub introspection: Option<Introspection>,
    /// The certificate for TLS with those that lead to a root (PEM); without one the service speaks plain HTTP.
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    pub tls_key: Option<PathBuf>,
    /// Proxies that may say where a request comes from: addresses or networks.
    pub trusted_proxies: Vec<Proxy>,
    /// The header in which they say so.
    pub forwarded_header: ForwardedHeader,
    /// What is logged, as `tracing-subscriber` filters read it.
    pub log: String,
    /// What one request may ask for at most.
    pub limits: Limits,
    /// Which identity providers are trusted.
    pub identity: IdentitySettings,
    /// How events leave for other systems.
    pub delivery: DeliverySettings,
    /// The NATS servers into whose stream the log is published.
    pub nats: nats::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            database: None,
            data: "data".into(),
            samples: true,
            development_tokens: None,
            signing_key: None,
            key_store: None,
            master_key: None,
            master_key_text: None,
            checkpoint_minutes: 60,
            scheduler: true,
            supervise: false,
            calendars: None,
            rules: None,
            documents: None,
            only_trusted_documents: false,
            introspection: None,
            tls_cert: None,
            tls_key: None,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
            log: "warn,zhixing_api=info,zhixing_delivery=info,zhixing_event_store=info".into(),
            limits: Limits::default(),
            identity: IdentitySettings::default(),
            delivery: DeliverySettings::default(),
            nats: nats::Settings::default(),
        }
    }
}

/// Flags that were given on the command line.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Flags {
    /// Where to listen, such as 127.0.0.1:8080
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// The database: postgres://USER:PASSWORD@HOST/NAME or sqlite:FILE
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Where the embedded database is kept [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Whether an empty log starts with the five sample plans
    #[arg(long, global = true, value_name = "true|false")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<bool>,
    /// The key that signs checkpoints (PEM) [default: signing.key in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<PathBuf>,
    /// Where the keys of persons are: postgres://… or sqlite:FILE [default: keys.db in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_store: Option<String>,
    /// The master key that wraps them [default: master.key in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_key: Option<PathBuf>,
    /// Whether tasks and reports that stay overdue get supervision items [default: false]
    #[arg(long, global = true, value_name = "true|false")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervise: Option<bool>,
    /// A directory of further working-day calendars (YEAR.json)
    #[arg(long, global = true, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendars: Option<PathBuf>,
    /// A directory of further time limits (*.json)
    #[arg(long, global = true, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<PathBuf>,
    /// A manifest of documents that may be asked for by id (JSON: {"SHA-256": "document", …})
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<PathBuf>,
    /// Whether nothing but those documents is run [default: false]
    #[arg(long, global = true, value_name = "true|false")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_trusted_documents: Option<bool>,
    /// The certificate for TLS with those that lead to a root (PEM) [default: plain HTTP]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// What to log, such as info or zhixing_api=debug
    #[arg(long, global = true, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// A file of settings (TOML) [default: zhixing.toml, when there is one]
    #[arg(long, global = true, value_name = "FILE", env = "ZHIXING_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting cannot be understood.
    #[error("a setting cannot be understood: {0}")]
    Unreadable(Box<figment::Error>),
    /// The settings file is not there.
    #[error("there is no settings file {0}")]
    NoFile(PathBuf),
    /// Development tokens would let anybody in.
    #[error(
        "development tokens let anybody be anybody: they work only when listening on a loopback address, not on {0}"
    )]
    OpenToAll(SocketAddr),
    /// One of two files is missing.
    #[error("TLS needs both a certificate (--tls-cert) and its key (--tls-key)")]
    HalfOfTls,
    /// Nothing could be run.
    #[error("only_trusted_documents needs a manifest (--documents)")]
    NoDocuments,
    /// Something else than an origin is allowed to ask.
    #[error("{0} in limits.allowed_origins is not an origin such as https://desk.example.cn")]
    NotAnOrigin(String),
    /// An identity provider cannot be trusted as it is set.
    #[error("{0}")]
    Identity(String),
    /// Nothing can be published so.
    #[error("{0}")]
    Nats(#[from] nats::SettingsError),
    /// It cannot be the source of events.
    #[error("delivery.source must be a URI reference of 1 to {LONGEST_SOURCE} characters")]
    Source,
    /// Too many name servers.
    #[error("delivery.name_servers has more than 8 entries")]
    NameServers,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// When one cannot be understood.
    pub fn read(flags: &Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(file) if !file.is_file() => return Err(ConfigError::NoFile(file.clone())),
            Some(file) => Toml::file_exact(file),
            None => Toml::file("zhixing.toml"),
        };
        let environment = Env::prefixed("ZHIXING_").ignore(&["config"]).split("__");
        let all = Figment::new().merge(file).merge(environment).merge(Serialized::defaults(flags));
        let settings: Self = all.extract().map_err(|error| ConfigError::Unreadable(Box::new(error)))?;
        if settings.development_tokens == Some(true) && !settings.listen.ip().is_loopback() {
            return Err(ConfigError::OpenToAll(settings.listen));
        }
        if settings.tls_cert.is_some() != settings.tls_key.is_some() {
            return Err(ConfigError::HalfOfTls);
        }
        if settings.only_trusted_documents && settings.documents.is_none() {
            return Err(ConfigError::NoDocuments);
        }
        if let Some(other) = settings.limits.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            return Err(ConfigError::NotAnOrigin(other.clone()));
        }
        settings.identity.check().map_err(ConfigError::Identity)?;
        if !settings.delivery.has_source() {
            return Err(ConfigError::Source);
        }
        if !settings.delivery.has_few_name_servers() {
            return Err(ConfigError::NameServers);
        }
        settings.nats.check()?;
        Ok(settings)
    }

    /// Who may ask what the schema holds.
    pub fn introspection(&self) -> Introspection {
        let usual =
            if self.takes_development_tokens() { Introspection::Everybody } else { Introspection::SignedIn };
        self.introspection.unwrap_or(usual)
    }

    /// Certificate and key, if the service itself speaks TLS.
    pub fn tls_files(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
    }

    /// Whether development tokens are taken.
    pub fn takes_development_tokens(&self) -> bool {
        self.development_tokens.unwrap_or_else(|| self.listen.ip().is_loopback())
    }

    /// The key that signs checkpoints.
    pub fn signing_key_file(&self) -> PathBuf {
        self.signing_key.clone().unwrap_or_else(|| self.data.join("signing.key"))
    }

    /// Where the keys of persons are.
    pub fn key_store_url(&self) -> String {
        let usual = || format!("sqlite:{}", self.data.join("keys.db").display());
        self.key_store.clone().unwrap_or_else(usual)
    }

    /// Where the master key comes from.
    pub fn master_source(&self) -> MasterSource {
        if let Some(text) = &self.master_key_text {
            return MasterSource::Given(text.0.clone());
        }
        let usual = || self.data.join("master.key");
        MasterSource::File(self.master_key.clone().unwrap_or_else(usual))
    }

    /// The address of the database.
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.data.join("zhixing.db").display()))
    }
}

/// Scheme, host and perhaps a port, as browsers write it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || b".-:[]".contains(&byte);
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_tokens_stay_on_this_machine() {
        let open = Settings { listen: SocketAddr::from(([0, 0, 0, 0], 8080)), ..Settings::default() };
        assert!(!open.takes_development_tokens());
        assert!(Settings::default().takes_development_tokens());
    }

    #[test]
    fn nothing_is_supervised_by_rule_unless_it_is_switched_on() {
        assert!(!Settings::read(&Flags::default()).unwrap().supervise);
        let flags = Flags { supervise: Some(true), ..Flags::default() };
        assert!(Settings::read(&flags).unwrap().supervise);
    }

    #[test]
    fn a_certificate_without_its_key_is_said() {
        let flags = Flags { tls_cert: Some("cert.pem".into()), ..Flags::default() };
        assert!(matches!(Settings::read(&flags), Err(ConfigError::HalfOfTls)));
        let flags = Flags { tls_key: Some("key.pem".into()), ..flags };
        assert!(Settings::read(&flags).unwrap().tls_files().is_some());
    }

    #[test]
    fn origins_are_written_as_browsers_do() {
        for good in ["https://desk.example.cn", "http://127.0.0.1:3000", "http://[::1]:3000"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in ["*", "null", "desk.example.cn", "https://", "https://desk.example.cn/", "https://Desk.cn"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn only_trusted_documents_need_some() {
        let flags = Flags { only_trusted_documents: Some(true), ..Flags::default() };
        assert!(matches!(Settings::read(&flags), Err(ConfigError::NoDocuments)));
    }

    #[test]
    fn the_schema_is_told_to_everybody_on_this_machine_only() {
        let open = Settings { listen: SocketAddr::from(([0, 0, 0, 0], 8080)), ..Settings::default() };
        assert_eq!(open.introspection(), Introspection::SignedIn);
        assert_eq!(Settings::default().introspection(), Introspection::Everybody);
        let nobody = Settings { introspection: Some(Introspection::Nobody), ..Settings::default() };
        assert_eq!(nobody.introspection(), Introspection::Nobody);
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let read = |text: &str| {
            Figment::from(Toml::string(&format!(
                "trusted_proxies = {text}\nforwarded_header = \"forwarded\""
            )))
            .extract::<Settings>()
            .map_err(Box::new)
        };
        let settings = read(r#"["10.0.0.0/8", "::1"]"#).unwrap();
        assert_eq!(
            (settings.trusted_proxies.len(), settings.forwarded_header),
            (2, ForwardedHeader::Forwarded)
        );
        assert!(read(r#"["proxy"]"#).unwrap_err().to_string().contains("neither an address nor a network"));
    }

    #[test]
    fn nothing_is_published_unless_servers_are_named() {
        let read = |text: &str| Figment::from(Toml::string(text)).extract::<Settings>().map_err(Box::new);
        assert_eq!(Settings::read(&Flags::default()).unwrap().nats.url, None);
        let nats = read("[nats]\nurl = \"nats://127.0.0.1:4222\"\nreplicas = 3").unwrap().nats;
        assert_eq!((nats.stream.as_str(), nats.replicas, nats.check()), ("ZHIXING", 3, Ok(())));
        let source =
            |text: &str| read(&format!("[delivery]\nsource = {text:?}")).unwrap().delivery.has_source();
        assert!(source("/zhixing") && !source("") && !source("a\r\nb"));
        let servers =
            |text: &str| read(&format!("[delivery]\nname_servers = {text}")).map(|read| read.delivery);
        assert!(servers(r#"["10.0.0.53:53", "[fd00::53]:53"]"#).unwrap().has_few_name_servers());
        assert!(servers(r#"["10.0.0.53"]"#).is_err(), "the port is missing");
        let nine = format!("[{}]", [r#""10.0.0.53:53""#; 9].join(","));
        assert!(!servers(&nine).unwrap().has_few_name_servers());
        assert!(read("[nats]\nserver = \"nats://127.0.0.1:4222\"").is_err());
    }

    #[test]
    fn a_missing_settings_file_is_said() {
        let flags = Flags { config: Some("no-such-file.toml".into()), ..Flags::default() };
        assert!(matches!(Settings::read(&flags), Err(ConfigError::NoFile(_))));
    }
}
