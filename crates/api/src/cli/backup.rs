//! `zhixing backup` and `zhixing restore`.
use std::path::Path;

use zhixing_event_store::{Pool, backup};

use super::{Failure, screen};
use crate::config::Settings;

pub(super) async fn backup(pool: &Pool, file: &Path) -> Result<(), Failure> {
    let bar = screen::bar(pool.head().await?.unsigned_abs(), "events");
    bar.set_message("copying, then verifying");
    let verified = pool.backup(file, |at| bar.set_position(at.unsigned_abs())).await;
    bar.finish_and_clear();
    screen::say(&format!(
        "{} holds the log up to position {}, verified.",
        file.display(),
        verified?.position
    ));
    Ok(())
}

pub(super) async fn restore(settings: &Settings, file: &Path) -> Result<(), Failure> {
    if settings.database.is_some() {
        return Err(Failure::Said(
            "a backup is restored into the data directory (--data DIR); leave out --database".into(),
        ));
    }
    let to = settings.data.join("zhixing.db");
    let bar = screen::bar(0, "events");
    bar.set_message("copying, then verifying");
    let verified = backup::restore(file, &to, |at| bar.set_position(at.unsigned_abs())).await;
    bar.finish_and_clear();
    screen::say(&format!("{} holds the log up to position {}, verified.", to.display(), verified?.position));
    screen::say("Now put signing.key and the last checkpoint.json back beside it and run `zhixing verify`.");
    Ok(())
}
