//! `zhixing serve`.
use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};
use zhixing_delivery::nats::Publisher;
use zhixing_event_store::replica::Origin;

use super::{Failure, import, keys, open, reference, screen};
use crate::{
    checkpoints::Signer,
    config::Settings,
    connections::Connections,
    integration::webhooks::Webhooks,
    scheduler::{self, Scheduler},
    server, time_change,
    tls::Tls,
};

/// How long open requests may take to end after a signal to stop.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn serve(mut settings: Settings) -> Result<(), Failure> {
    // Before anything is written: a port that is taken is the commonest mistake.
    let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
        let what = format!("{} cannot be listened on (try --listen 127.0.0.1:9000)", settings.listen);
        Failure::said(&what, error)
    })?;
    let tls = settings.tls_files().map(|(certificate, key)| Tls::read(certificate, key).map(Arc::new));
    let tls = tls.transpose().map_err(|error| Failure::said("TLS is not possible", error))?;
    let time = reference(&settings)?;
    let store = open(&settings).await?;
    let origin = store.origin().cloned();
    if let Some(origin) = &origin {
        // Events are told under the name of the log in which they were recorded.
        settings.delivery.source.clone_from(&origin.source);
    }
    if settings.samples && store.head() == 0 && origin.is_none() {
        import::import_samples(&store).await?;
    }
    let (stop, stopped) = watch::channel(false);
    // From here on a signal ends the service in order, also before it is ready.
    tokio::spawn(async move {
        signal().await;
        stop.send_replace(true);
    });
    let service = server::Service::start_with(store.clone(), time).await?;
    // The keys of persons stay with the origin: a replica has sealed fields, and nothing that opens them.
    let service = if origin.is_none() { service.with_vault(keys::open(&settings).await?) } else { service };
    if let Err(error) = time_change::remember(&store, &service.time).await {
        tracing::warn!(%error, "whether calendars or time limits changed is found out at the next start");
    }
    let router = server::router(&service, &settings, stopped.clone())
        .map_err(|error| Failure::said("the service cannot open its door", error))?;
    let address = listener.local_addr().unwrap_or(settings.listen);
    welcome(&settings, address, origin.as_ref());
    // What the origin says, does and signs is not said, done and signed a second time by its replicas.
    let own = origin.is_none();
    let signer = (own && settings.checkpoint_minutes > 0).then(|| Signer::new(&settings));
    let signing = signer
        .clone()
        .map(|signer| tokio::spawn(signer.run(store.clone(), settings.checkpoint_minutes, stopped.clone())));
    let scheduling = (own && settings.scheduler).then(|| {
        let scheduler = Scheduler::new(store.clone(), service.time.clone(), scheduler::Timing::default());
        scheduler.supervising(settings.supervise).with_vault(service.vault.clone()).start(stopped.clone())
    });
    let delivering = match (&service.vault, own && settings.delivery.webhooks) {
        (Some(vault), true) => {
            let webhooks = Webhooks::new(store.clone(), vault.clone(), &settings.delivery)
                .map_err(|error| Failure::said("webhooks cannot be sent", error))?;
            Some(webhooks.start(stopped.clone()))
        }
        _ => None,
    };
    let publishing = settings.nats.url.is_some().then(|| {
        let publisher =
            Publisher::new(store.clone(), settings.nats.clone(), settings.delivery.source.clone());
        tokio::spawn(publisher.run(stopped.clone()))
    });
    if let Some(tls) = tls.clone() {
        tokio::spawn(tls.watch(stopped.clone()));
    }
    let serving = Connections::new(&settings, tls).serve(listener, router, stopped.clone());
    let mut patience = stopped;
    let out_of_patience = async move {
        let _ = patience.wait_for(|stop| *stop).await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        () = serving => {}
        () = out_of_patience => tracing::warn!("stopping although requests are still open"),
    }
    for work in [scheduling, delivering, publishing].into_iter().flatten() {
        let _ = work.await;
    }
    if let (Some(signer), Some(signing)) = (signer, signing) {
        // The last word of this run: what was appended since the last checkpoint.
        let _ = signing.await;
        signer.try_sign(&store).await;
    }
    service.stop().await;
    Ok(())
}

fn welcome(settings: &Settings, address: std::net::SocketAddr, origin: Option<&Origin>) {
    screen::say(&format!(
        "Zhixing 质兴 is ready; the log is in {database}.{replica}

  GraphiQL   {scheme}://{address}/
  GraphQL    {scheme}://{address}/graphql   (WebSocket and SSE at the same address)
  Schema     {scheme}://{address}/graphql/schema.graphql
  Events     {scheme}://{address}/events   (SSE, NDJSON or pages; see docs/events.md)
  Health     {scheme}://{address}/healthz  /readyz  /metrics
  Log        {scheme}://{address}/log/checkpoint   (signed; see `zhixing verify --help`)

Try:
  curl -s {scheme}://{address}/graphql -H 'content-type: application/json' \\
    -d '{{\"query\":\"{{ plans {{ totalCount nodes {{ title tasks {{ totalCount }} indicators {{ totalCount }} }} }} }}\"}}'
{tokens}
Stop with Ctrl-C.",
        scheme = if settings.tls_files().is_some() { "https" } else { "http" },
        database = masked(&settings.database_url()),
        replica = origin.map_or_else(String::new, |Origin { source, .. }| {
            format!("\nIt is a replica of {source}: it can only be read, and grows by `zhixing bundle apply`.")
        }),
        tokens = if settings.takes_development_tokens() {
            "\nDevelopment tokens are taken: Authorization: Bearer dev:ann:LEADING_GROUP_OFFICE\n"
        } else {
            ""
        },
    ));
}

/// The address of the database without its password.
fn masked(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (user, host))) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{}", host.split('?').next().unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

async fn signal() {
    let interrupt = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    #[cfg(unix)]
    {
        let terminate = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! { () = interrupt => {}, () = terminate => {} }
    }
    #[cfg(not(unix))]
    interrupt.await;
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            super::masked("postgres://ann:secret@db/zhixing?sslmode=require"),
            "postgres://ann@db/zhixing"
        );
        assert_eq!(super::masked("sqlite:data/zhixing.db"), "sqlite:data/zhixing.db");
    }
}
