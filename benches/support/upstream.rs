//! Microsoft Graph as far as the fan-out needs it: 3 pages of teams, 4 pages of channels each.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

/// Teams in all, on three pages, unless more are asked for.
pub const TEAMS: usize = 50;
/// Teams on a page.
const TEAM_ROWS: usize = 20;
/// Pages of channels of each team.
pub const PAGES: usize = 4;
/// Channels on each page.
const ROWS: usize = 20;
/// What one run of the action asks for.
pub fn requests(teams: usize) -> u64 {
    (teams.div_ceil(TEAM_ROWS) + teams * PAGES) as u64
}

/// The server in a process of its own; killed when it is dropped.
pub struct Upstream {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

impl Upstream {
    /// Starts this very program as the upstream.
    pub fn start(latency: Duration, teams: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["upstream", &latency.as_millis().to_string(), &teams.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: line.trim().to_owned() }
    }

    /// How many requests it answered since the last time it was asked.
    pub fn count(&self) -> u64 {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        stream.write_all(b"GET /count HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        lines.by_ref().find(|line| line.as_ref().is_ok_and(String::is_empty));
        lines.next().unwrap().unwrap().parse().unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The upstream process: never returns.
pub fn serve(latency: Duration, teams: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    println!("{base}");
    let pages = Arc::new(Pages::new(&base, teams));
    let count = Arc::new(AtomicU64::new(0));
    for stream in listener.incoming().flatten() {
        let (pages, count) = (Arc::clone(&pages), Arc::clone(&count));
        std::thread::spawn(move || answer(stream, &pages, &count, latency));
    }
}

fn answer(stream: TcpStream, pages: &Pages, count: &AtomicU64, latency: Duration) {
    drop(stream.set_nodelay(true));
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let target = line.split(' ').nth(1).unwrap_or("/").to_owned();
        while reader
            .read_line({
                line.clear();
                &mut line
            })
            .unwrap_or(0)
            > 2
        {}
        if target == "/count" {
            let text = format!("{}\n", count.swap(0, Ordering::SeqCst));
            let length = text.len();
            drop(write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{text}"));
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        if !latency.is_zero() {
            std::thread::sleep(latency);
        }
        if writer.write_all(pages.find(&target)).is_err() {
            return;
        }
    }
}

/// Whole answers, made beforehand.
struct Pages {
    teams: Vec<Vec<u8>>,
    channels: Vec<Vec<Vec<u8>>>,
}

impl Pages {
    fn new(base: &str, count: usize) -> Self {
        let teams = (0..count.div_ceil(TEAM_ROWS)).map(|page| {
            let end = count.min((page + 1) * TEAM_ROWS);
            let rows: Vec<Value> = (page * TEAM_ROWS..end).map(team).collect();
            let next = (end < count)
                .then(|| format!("{base}/v1.0/me/joinedTeams?$skiptoken=p{}", page + 1));
            http(&rows, next)
        });
        let teams = teams.collect();
        let channels = (0..count).map(|team| {
            let page = |page: usize| {
                let rows: Vec<Value> =
                    (0..ROWS).map(|row| channel(team, page * ROWS + row)).collect();
                let next = (page + 1 < PAGES).then(|| {
                    format!("{base}/v1.0/teams/{}/channels?$skiptoken=p{}", id(team), page + 1)
                });
                http(&rows, next)
            };
            (0..PAGES).map(page).collect()
        });
        Self { teams, channels: channels.collect() }
    }

    fn find(&self, target: &str) -> &[u8] {
        let page = target.split_once("skiptoken=p").map_or(0, |(_, p)| p.parse().unwrap());
        if target.contains("joinedTeams") {
            return &self.teams[page];
        }
        let team = target.split('/').nth(3).unwrap();
        let number: usize = team.rsplit('-').next().unwrap().parse().unwrap();
        &self.channels[number][page]
    }
}

fn id(team: usize) -> String {
    format!("8e1c7f64-52a5-4d0e-9b1a-{team:012}")
}

fn http(rows: &[Value], next: Option<String>) -> Vec<u8> {
    let mut body = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#channels", "@odata.count": rows.len()});
    if let Some(next) = next {
        body["@odata.nextLink"] = next.into();
    }
    body["value"] = rows.into();
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json;odata.metadata=minimal\r\nrequest-id: 6a5f0a7e-6a4b-4c0f-9a3e-0d7f0f8f1a11\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn team(number: usize) -> Value {
    json!({
        "id": id(number), "createdDateTime": null, "displayName": format!("Team {number}"),
        "description": format!("What team {number} does all day"), "internalId": null,
        "classification": null, "specialization": null, "visibility": "private", "webUrl": null,
        "isArchived": false, "tenantId": "3f0a1a52-7a0e-4a55-8d5c-8f6b7d5f0c11",
        "isMembershipLimitedToOwners": null, "memberSettings": null, "guestSettings": null,
        "messagingSettings": null, "funSettings": null, "discoverySettings": null, "summary": null
    })
}

fn channel(team: usize, number: usize) -> Value {
    let thread = format!("19:{:032x}@thread.tacv2", team * 1000 + number);
    json!({
        "id": thread, "createdDateTime": "2022-08-10T14:32:12.111Z",
        "displayName": format!("Channel {number}"),
        "description": format!("Everything about subject {number}, and some more words"),
        "isFavoriteByDefault": null, "email": format!("channel{number}@contoso.example"),
        "tenantId": "3f0a1a52-7a0e-4a55-8d5c-8f6b7d5f0c11",
        "webUrl": format!("https://teams.microsoft.com/l/channel/{thread}/Channel?groupId={}", id(team)),
        "membershipType": "standard", "isArchived": false, "filesFolderWebUrl": null, "layoutType": "chat"
    })
}
