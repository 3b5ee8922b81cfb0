//! A bad line between the service and its database.
use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use crate::Outcome;

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything passes.
    Good,
    /// Connections are closed, new ones too.
    Cut,
    /// Nothing passes and nobody is told.
    Silent,
}

/// Passes bytes on between clients and a server.
pub(crate) struct Proxy {
    address: SocketAddr,
    line: Arc<watch::Sender<Line>>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Outcome<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let line = Arc::new(watch::Sender::new(Line::Good));
        let passing = line.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *passing.borrow() == Line::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, passing.subscribe()));
                tokio::spawn(pass(from_server, to_client, passing.subscribe()));
            }
        });
        Ok(Self { address, line })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the line.
    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Closes every connection; new ones are let in.
    pub(crate) async fn cut(&self) {
        self.set(Line::Cut);
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.set(Line::Good);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 16 * 1024];
    line.mark_unchanged();
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = line.wait_for(|line| *line == Line::Cut) => return,
        };
        let Ok(read @ 1..) = read else { return };
        tokio::select! {
            good = line.wait_for(|line| *line != Line::Silent) => {
                if good.is_ok_and(|line| *line == Line::Cut) {
                    return;
                }
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
