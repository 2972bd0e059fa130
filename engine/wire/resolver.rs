//! Name resolution under the outbound policy.

use std::{io, net::SocketAddr, sync::Arc};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::wire::guard::{self, Refusal, Transport};

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// It has no address, or the name server cannot be asked.
    #[error("the name cannot be resolved")]
    Unresolved(#[source] io::Error),
    /// One of its addresses is refused.
    #[error("the outbound policy refuses it")]
    Refused(#[from] Refusal),
}

/// The addresses of a name, by the system; none, if *any* of them is refused. The connection goes
/// to the very addresses returned here, so that a second answer cannot differ (DNS rebinding).
pub async fn addresses(
    name: &str,
    transport: Transport,
    opened: &[IpNet],
) -> Result<Vec<SocketAddr>, Unreachable> {
    let found = tokio::net::lookup_host((name, 0)).await.map_err(Unreachable::Unresolved)?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(Unreachable::Unresolved(io::ErrorKind::NotFound.into()));
    }
    for address in &found {
        guard::judge(address.ip(), transport, opened)?;
    }
    Ok(found)
}

/// The same for the pooling client.
#[derive(Debug)]
pub struct Guarded {
    /// How the connections are made.
    pub transport: Transport,
    /// The ranges that the operator opened.
    pub opened: Arc<[IpNet]>,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let transport = self.transport;
        let opened = Arc::clone(&self.opened);
        Box::pin(async move {
            let found = addresses(name.as_str(), transport, &opened).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
