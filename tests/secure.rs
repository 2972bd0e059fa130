//! Writes behind TLS, over HTTP/1.1 and HTTP/2: none is lost on a connection that has ended.

use bytes::Bytes;
use engine::{
    model::http::{Authorized, Body, HeaderMap, Method, Request},
    wire::{Live, LiveSettings, Wire},
};
use futures_util::future::join_all;

use crate::support::tls::{Protocol, TlsPeer, authority};

fn live() -> Live {
    let allow = vec!["127.0.0.1/32".parse().unwrap()];
    let ca_file = Some(authority());
    Live::new(LiveSettings { allow, ca_file, ..LiveSettings::default() }).unwrap()
}

async fn post(live: &Live, peer: &TlsPeer) {
    let request = Authorized::new(Request {
        method: Method::POST,
        url: url::Url::parse(&format!("https://{}/x", peer.address)).unwrap(),
        headers: HeaderMap::new(),
        body: Body::Bytes(Bytes::from_static(b"0123456789")),
        coded: false,
        timeout: None,
        silence: None,
        max_response: 1000,
        route: None,
    });
    let answer = live.send(&request).await.unwrap().collect().await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"ok"[..]));
}

/// Whether this side of a connection to the peer has not heard of its end: state 01 of a socket is
/// "established".
fn is_open(peer: &TlsPeer) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let established = format!(" 0100007F:{:04X} 01 ", peer.address.port());
    sockets.lines().any(|line| line.contains(&established))
}

fn runtime() -> tokio::runtime::Runtime {
    // Sockets are looked at between any two turns of tasks.
    tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build().unwrap()
}

#[test]
fn a_row_of_writes_needs_few_connections() {
    runtime().block_on(async {
        for (protocol, most) in [(Protocol::One, 2), (Protocol::Two, 1)] {
            let peer = TlsPeer::start(protocol, usize::MAX).await;
            let live = live();
            for _ in 0..200 {
                post(&live, &peer).await;
            }
            let (connections, requests) = peer.counts();
            assert!(connections <= most && requests == 200, "{connections} {requests}");
        }
    });
}

#[test]
fn no_write_is_lost_on_a_connection_that_its_server_ends() {
    runtime().block_on(async {
        for protocol in [Protocol::One, Protocol::Two] {
            // Behind every answer, and behind some.
            for most in [1, 3] {
                let peer = TlsPeer::start(protocol, most).await;
                let live = live();
                for _ in 0..60 {
                    post(&live, &peer).await;
                }
                for _ in 0..6 {
                    join_all((0..10).map(|_| post(&live, &peer))).await;
                }
                assert_eq!(peer.counts().1, 120);
            }
        }
    });
}

#[test]
fn a_connection_that_broke_at_rest_is_replaced() {
    runtime().block_on(async {
        for protocol in [Protocol::One, Protocol::Two] {
            let peer = TlsPeer::start(protocol, usize::MAX).await;
            let live = live();
            for _ in 0..10 {
                post(&live, &peer).await;
                peer.end();
                // What has not arrived yet cannot be known: the system says when it has.
                while is_open(&peer) {
                    tokio::task::yield_now().await;
                }
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(peer.counts().1, 10);
        }
    });
}
