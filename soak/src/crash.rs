//! `soak crash`: the service and the PostgreSQL server are killed in the middle of load, again and again.
use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    Outcome,
    check::check,
    cluster::Cluster,
    drive::{Clients, Subscriber},
    screen::say,
    service::Service,
};

/// What `soak crash` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How often to kill; by turns the service and the server
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Clients that write at once
    #[arg(long, default_value_t = 16)]
    writers: usize,
}

/// Load before a kill and after the restart.
const LOAD: Duration = Duration::from_millis(1_500);
/// How long after a restart the first command may take.
const RECOVERY: Duration = Duration::from_secs(30);

pub(crate) async fn crash(arguments: &Arguments) -> Outcome {
    let mut cluster = Cluster::start(100).await?;
    let directory = tempfile::tempdir()?;
    let url = cluster.url("postgres");
    let mut service = Service::start(&url, &directory.path().join("service.log")).await?;
    let clients = Clients::new(service.url("graphql"), 0)?;
    let subscriber = Subscriber::default();
    let following = tokio::spawn(subscriber.clone().run(service.url("graphql")));
    for round in 1..=arguments.rounds {
        let writers = clients.start(arguments.writers, &format!("r{round}"));
        // Not always at the same moment of a batch.
        tokio::time::sleep(LOAD + Duration::from_millis(u64::from(round) * 37)).await;
        let (what, recovered) = if round % 2 == 1 {
            service.kill()?;
            service.restart().await?;
            ("the service", clients.until_done(RECOVERY).await?)
        } else {
            cluster.kill()?;
            tokio::time::sleep(LOAD).await;
            cluster.restart().await?;
            let recovered = clients.until_done(RECOVERY).await?;
            if !service.is_running()? {
                return Err("the service ended with the database".into());
            }
            ("PostgreSQL", recovered)
        };
        tokio::time::sleep(LOAD).await;
        clients.finish(writers).await?;
        say(&format!(
            "round {round}: killed {what}, next command {} ms after the restart; {}",
            recovered.as_millis(),
            clients.faults()
        ));
        let repeated = clients.repeat_some(200).await?;
        let head = check(&url, &clients.told(), true).await?;
        subscriber.reaches(head).await?;
        if following.is_finished() {
            return following.await?;
        }
        say(&format!(
            "  {repeated} retries got their first answers; the subscriber has every event up to {head}"
        ));
    }
    let resumed = subscriber.resumed.load(Ordering::SeqCst);
    say(&format!("soak crash: PASSED ({} commands, the subscriber resumed {resumed} times)", clients.done()));
    Ok(())
}
