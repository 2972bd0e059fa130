//! Name resolution under the outbound policy.

use std::{net::SocketAddr, sync::Arc};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::wire::guard::{self, Transport};

/// Resolves by the system, and refuses a name when *any* of its addresses is refused. The client
/// connects to the very addresses returned here, so that a second answer cannot differ (DNS
/// rebinding).
#[derive(Debug)]
pub struct Guarded {
    /// How the connections are made.
    pub transport: Transport,
    /// The ranges that the operator opened.
    pub opened: Arc<[IpNet]>,
}

/// The name has no address, or nobody could be asked.
#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved")]
pub struct Unresolved;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let transport = self.transport;
        let opened = Arc::clone(&self.opened);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|_| Unresolved)?
                .collect();
            if found.is_empty() {
                return Err(Unresolved.into());
            }
            for address in &found {
                guard::judge(address.ip(), transport, &opened)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
