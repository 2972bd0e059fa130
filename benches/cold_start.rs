//! From the start of `engine run` to its first request, against a program that does nothing but
//! send one with reqwest.
//!
//! `cargo bench --bench cold_start`: the time from starting the process to the moment the upstream
//! has read the head of its first request.

#![allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a program to be run by hand"
)]

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const ROUNDS: usize = 50;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "reference") {
        return reference(&args[2]);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    project(folder.path(), &url);
    let me = std::env::current_exe().unwrap();
    let (mut by_hand, mut engine, mut version) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let one = first_request(&listener, Command::new(&me).args(["reference", &url]));
        let two = first_request(&listener, &mut action(folder.path()));
        let start = Instant::now();
        let mut bare = Command::new(env!("CARGO_BIN_EXE_engine"));
        assert!(bare.arg("--version").stdout(Stdio::null()).status().unwrap().success());
        let three = start.elapsed();
        if round > 0 {
            by_hand.push(one);
            engine.push(two);
            version.push(three);
        }
    }
    println!("from start to first request, {ROUNDS} rounds in turn, median (fastest)");
    for (name, mut all) in
        [("by hand", by_hand), ("engine run", engine), ("engine --version, to its end", version)]
    {
        all.sort();
        println!("{name:30} {:6.2} ms ({:.2})", ms(all[all.len() / 2]), ms(all[0]));
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn first_request(listener: &TcpListener, command: &mut Command) -> Duration {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = [0; 4096];
    assert!(stream.read(&mut head).unwrap() > 0);
    let took = start.elapsed();
    let body = r#"{"value": []}"#;
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    stream
        .write_all(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())
        .unwrap();
    drop(stream);
    assert!(child.wait().unwrap().success(), "{command:?}");
    took
}

fn project(folder: &Path, url: &str) {
    let text = format!(
        "integrations:\n  ms-teams:\n    extends_blueprint: ms-teams:v0\n    requests: {{base_url: '{url}/v1.0'}}\n"
    );
    std::fs::write(folder.join("integrations.yaml"), text).unwrap();
    let mut child = engine(folder)
        .args(["connections", "add", "ms-teams", "--token-stdin", "--no-verify", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"an-access-token").unwrap();
    assert!(child.wait().unwrap().success());
}

fn engine(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engine"));
    command.current_dir(folder).env_clear().env("HOME", folder);
    command
}

fn action(folder: &Path) -> Command {
    let mut command = engine(folder);
    command.args(["run", "ms-teams", "list-channels", "--allow-net", "127.0.0.0/8"]);
    command
}

fn reference(url: &str) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap();
        let response = client.get(url).bearer_auth("an-access-token").send().await.unwrap();
        response.bytes().await.unwrap();
    });
}
