//! What the vault promises.
use std::{collections::HashSet, fs, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;
use zhixing_domain::{Clock, Kind, Sealed, sealed::Confidential};

use crate::{
    MasterKey, MasterSource, Place, Plain, Vault, VaultError,
    vault::{AHEAD, PersonalKey},
};

#[derive(Debug)]
struct Stopped;
impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
    fn new_id(&self) -> Uuid {
        Uuid::nil()
    }
}

struct Name;
impl Confidential for Name {
    const FIELD: &'static str = "informer.name";
}
struct Phone;
impl Confidential for Phone {
    const FIELD: &'static str = "informer.phone";
}

const SECRET: &str = "欧阳举报人";

fn place(number: u128) -> Place {
    Place { kind: Kind::Task, id: Uuid::from_u128(number) }
}
fn plain(text: &str) -> Plain {
    Plain::new(text.into())
}
fn file(directory: &Path) -> MasterSource {
    MasterSource::File(directory.join("master.key"))
}
async fn vault_of(directory: &Path, source: MasterSource) -> Result<Vault, VaultError> {
    let url = format!("sqlite:{}", directory.join("keys.db").display());
    Vault::open_at(&url, source, Arc::new(Stopped)).await
}
async fn vault() -> (TempDir, Vault) {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault_of(directory.path(), file(directory.path())).await.unwrap();
    (directory, vault)
}
async fn sealed(vault: &Vault, number: u128) -> (PersonalKey, Sealed<Name>) {
    let key = vault.new_key(Kind::Task).await.unwrap();
    let sealed = key.seal(place(number), &plain(SECRET)).unwrap();
    (key, sealed)
}
/// Whether any file of the directory holds these bytes.
fn is_anywhere(directory: &Path, bytes: &[u8]) -> bool {
    let mut files = fs::read_dir(directory).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    files.any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

#[tokio::test]
async fn what_is_sealed_is_opened_by_its_key_and_after_a_restart() {
    let (directory, vault) = vault().await;
    let (key, sealed) = sealed(&vault, 1).await;
    assert_eq!(key.open(place(1), &sealed).unwrap().reveal(), SECRET);
    assert!(!is_anywhere(directory.path(), SECRET.as_bytes()));
    vault.close().await;
    let vault = vault_of(directory.path(), file(directory.path())).await.unwrap();
    let again = vault.key(sealed.key()).await.unwrap();
    assert_eq!(again.open(place(1), &sealed).unwrap().reveal(), SECRET);
    assert!(matches!(vault.key(Uuid::from_u128(5)).await, Err(VaultError::NoKey(_))));
}

#[tokio::test]
async fn a_sealed_text_fits_no_other_object_field_key_or_form() {
    let (_directory, vault) = vault().await;
    let (key, sealed) = sealed(&vault, 1).await;
    let altered = |opened: Result<Plain, VaultError>| matches!(opened, Err(VaultError::Altered(_)));
    assert!(altered(key.open(place(2), &sealed)));
    assert!(altered(key.open(Place { kind: Kind::Unit, ..place(1) }, &sealed)));
    let as_phone: Sealed<Phone> = sealed.to_string().parse().unwrap();
    assert!(altered(key.open(place(1), &as_phone)));
    let other = vault.new_key(Kind::Task).await.unwrap();
    assert_ne!(other.id(), key.id(), "no two persons share a key");
    assert!(altered(other.open(place(1), &sealed)));
    let body = URL_SAFE_NO_PAD.decode(sealed.body()).unwrap();
    for at in 0..body.len() {
        let mut other = body.clone();
        other[at] ^= 1;
        let other = Sealed::<Name>::new(sealed.key(), &URL_SAFE_NO_PAD.encode(&other)).unwrap();
        assert!(altered(key.open(place(1), &other)), "byte {at}");
    }
    for short in [&body[..0], &body[..10], &body[..24], &body[..40]] {
        if let Ok(other) = Sealed::<Name>::new(sealed.key(), &URL_SAFE_NO_PAD.encode(short)) {
            assert!(altered(key.open(place(1), &other)));
        }
    }
}

#[tokio::test]
async fn a_destroyed_key_is_gone_from_the_file_and_opens_nothing() {
    let (directory, vault) = vault().await;
    let (_key, sealed) = sealed(&vault, 1).await;
    let wrapped = vault.wrapped(sealed.key()).await;
    assert!(is_anywhere(directory.path(), wrapped.as_bytes()), "else the test proves nothing");
    vault.destroy(sealed.key()).await.unwrap();
    assert!(matches!(vault.key(sealed.key()).await, Err(VaultError::Destroyed(_))));
    assert!(!is_anywhere(directory.path(), wrapped.as_bytes()));
    vault.destroy(sealed.key()).await.unwrap();
    assert!(matches!(vault.destroy(Uuid::from_u128(5)).await, Err(VaultError::NoKey(_))));
    // A rotation does not bring it back.
    vault.rotate_master().await.unwrap();
    assert!(matches!(vault.key(sealed.key()).await, Err(VaultError::Destroyed(_))));
}

#[tokio::test]
async fn a_rotation_keeps_everything_readable_also_for_a_service_that_runs() {
    let (directory, vault) = vault().await;
    let (_, first) = sealed(&vault, 1).await;
    let before = fs::read_to_string(directory.path().join("master.key")).unwrap();
    let running = vault_of(directory.path(), file(directory.path())).await.unwrap();
    let (_, second) = sealed(&running, 2).await;
    assert!(vault.rotate_master().await.unwrap() >= 2);
    let after = fs::read_to_string(directory.path().join("master.key")).unwrap();
    assert_ne!(before, after);
    assert_eq!(after.lines().count(), 1, "the old master key is forgotten");
    for vault in [&vault, &running] {
        for (number, sealed) in [(1, &first), (2, &second)] {
            let key = vault.key(sealed.key()).await.unwrap();
            assert_eq!(key.open(place(number), sealed).unwrap().reveal(), SECRET);
        }
        // More than were made ahead.
        for _ in 0..AHEAD + 10 {
            let key = vault.new_key(Kind::Task).await.unwrap();
            assert!(vault.key(key.id()).await.is_ok());
        }
    }
    // The old master key, put back, is refused by name.
    fs::write(directory.path().join("master.key"), &before).unwrap();
    assert!(matches!(
        vault_of(directory.path(), file(directory.path())).await,
        Err(VaultError::WrongMaster { .. })
    ));
}

#[tokio::test]
async fn many_at_once_get_a_key_each() {
    let (_directory, vault) = vault().await;
    let all = (0..3 * AHEAD).map(|_| vault.new_key(Kind::Task));
    let all = futures_util::future::try_join_all(all).await.unwrap();
    let ids: HashSet<Uuid> = all.iter().map(PersonalKey::id).collect();
    assert_eq!(ids.len(), 3 * AHEAD);
    for id in ids {
        assert!(vault.key(id).await.is_ok(), "it was on disk before it was given away");
    }
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_goes_on() {
    let (directory, vault) = vault().await;
    let (_, first) = sealed(&vault, 1).await;
    let path = directory.path().join("master.key");
    // As it is when the power fails after the file was written.
    let next = MasterKey::generate().unwrap();
    let both = [next.to_line().as_str(), &fs::read_to_string(&path).unwrap()].concat();
    fs::write(&path, both).unwrap();
    let vault = vault_of(directory.path(), file(directory.path())).await.unwrap();
    assert!(vault.key(first.key()).await.is_ok());
    vault.rotate_master().await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), *next.to_line());
    let key = vault.key(first.key()).await.unwrap();
    assert_eq!(key.open(place(1), &first).unwrap().reveal(), SECRET);
}

#[tokio::test]
async fn a_master_key_is_right_or_named() {
    let (directory, vault) = vault().await;
    vault.close().await;
    let path = directory.path().join("master.key");
    assert!(matches!(file(directory.path()).init(), Err(VaultError::MasterExists(_))));
    let line = fs::read_to_string(&path).unwrap();
    let opened = vault_of(directory.path(), MasterSource::Given(line.clone().into())).await.unwrap();
    assert!(matches!(opened.rotate_master().await, Err(VaultError::MasterGiven)));
    for wrong in ["", "zhixing-master-1:", "zhixing-master-1:AAAA", &line[1..], &line.repeat(3)] {
        let given = MasterSource::Given(wrong.to_owned().into());
        let refused = vault_of(directory.path(), given).await.unwrap_err();
        assert!(matches!(refused, VaultError::MasterForm), "{wrong}: {refused}");
        assert!(!refused.to_string().contains(&line[20..30]));
    }
    let other = MasterSource::Given(MasterKey::generate().unwrap().to_line());
    assert!(matches!(vault_of(directory.path(), other).await, Err(VaultError::WrongMaster { .. })));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&directory.path().join("keys.db"))), (0o600, 0o600));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = vault_of(directory.path(), file(directory.path())).await.unwrap_err();
        assert!(matches!(refused, VaultError::MasterOpen(_)));
    }
    // A store that has keys never gets a new master key by itself.
    fs::remove_file(&path).unwrap();
    assert!(matches!(vault_of(directory.path(), file(directory.path())).await, Err(VaultError::NoMaster(_))));
}

#[tokio::test]
async fn nothing_shows_a_plain_value_or_a_key() {
    let (directory, vault) = vault().await;
    let (key, sealed) = sealed(&vault, 1).await;
    let line = fs::read_to_string(directory.path().join("master.key")).unwrap();
    let given = MasterSource::Given(line.clone().into());
    let masters = given.read().unwrap();
    let shown = format!("{:?} {key:?} {sealed:?} {vault:?} {given:?} {masters:?}", plain(SECRET));
    assert!(!shown.contains(SECRET) && !shown.contains(line[17..].trim()), "{shown}");
    assert!(shown.contains("Plain(…)"));
}

/// A key without a store.
fn key() -> PersonalKey {
    PersonalKey::for_tests(Uuid::from_u128(3))
}

proptest! {
    #[test]
    fn every_text_comes_back(text in "\\PC{0,300}|(\u{80}|\0| ){0,70}") {
        let sealed: Sealed<Name> = key().seal(place(1), &plain(&text)).unwrap();
        let opened = key().open(place(1), &sealed).unwrap();
        prop_assert_eq!(opened.reveal(), text.as_str());
        prop_assert!(text.is_empty() || text.len() < 4 || !sealed.to_string().contains(&text));
        let again: Sealed<Name> = key().seal(place(1), &plain(&text)).unwrap();
        prop_assert_ne!(again.body(), sealed.body(), "the same text twice looks like two");
    }

    #[test]
    fn lengths_say_nothing(one in "\\PC{0,15}", other in "\\PC{0,15}") {
        let [one, other]: [Sealed<Name>; 2] = [&one, &other].map(|text| key().seal(place(1), &plain(text)).unwrap());
        prop_assert_eq!(one.body().len(), other.body().len());
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let sealed: Result<Sealed<Name>, _> = key().seal(place(1), &plain(&"长".repeat(700)));
    assert!(matches!(sealed, Err(VaultError::TooLong(2_048))));
    let sealed: Result<Sealed<Name>, _> = key().seal(place(1), &plain(&"长".repeat(682)));
    assert!(sealed.is_ok());
}
