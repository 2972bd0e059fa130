//! Bodies that are larger than the memory that may be used for them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use crate::support::{api::NET, project::Project};

/// The most memory that the binary may have used, in kilobytes.
const MOST: u64 = 64 * 1024;

/// Uploads and downloads so many bytes; the binary's memory stays small.
pub fn pass_in_little_memory(bytes: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (child, peak) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
    let watch = Watch { child: Arc::clone(&child), peak: Arc::clone(&peak), bytes };
    std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            watch.serve(stream.unwrap());
        }
    });
    let project = Project::new(&[
        ("integrations.yaml", "integrations:\n  api:\n    extends_blueprint: api:v0\n"),
        (
            "blueprints/api/v0.yaml",
            &format!(
                "blueprint: api:v0\ntitle: API\nauth: {{auth_mode: NONE}}\nrequests: {{base_url: '{url}'}}\n"
            ),
        ),
    ]);
    project.engine(&["connections", "add", "api"]).ends(0);
    let file = std::fs::File::create(project.path("large")).unwrap();
    file.set_len(bytes).unwrap();
    let calls = [
        ["PUT", "/large", "--body", "@large", "--content-type=application/octet-stream"],
        ["GET", "/large", "--save", "copy", "--quiet"],
    ];
    for call in calls {
        let mut all = vec!["request", "api", NET[0], NET[1]];
        all.extend(call);
        let running = project.command(&all).spawn().unwrap();
        child.store(running.id(), Ordering::SeqCst);
        let ended = running.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        let used = peak.swap(0, Ordering::SeqCst);
        assert!(used > 0 && used < MOST, "{call:?}: {used} kB");
    }
    assert_eq!(std::fs::metadata(project.path("copy")).unwrap().len(), bytes);
}

/// The other end, which looks at the binary's memory when nearly all has passed.
struct Watch {
    child: Arc<AtomicU32>,
    peak: Arc<AtomicU64>,
    bytes: u64,
}

impl Watch {
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        if head.starts_with("PUT ") {
            let read = std::io::copy(&mut reader.take(self.bytes), &mut std::io::sink()).unwrap();
            assert_eq!(read, self.bytes);
            self.look();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            return;
        }
        stream
            .write_all(
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", self.bytes).as_bytes(),
            )
            .unwrap();
        let piece = vec![7; 64 * 1024];
        let mut left = self.bytes - 1;
        while left > 0 {
            let length = left.min(piece.len() as u64);
            stream.write_all(&piece[..usize::try_from(length).unwrap()]).unwrap();
            left -= length;
        }
        self.look();
        stream.write_all(&[7]).unwrap();
    }

    /// `VmHWM`: the most that was resident so far (proc(5)).
    fn look(&self) {
        let status = format!("/proc/{}/status", self.child.load(Ordering::SeqCst));
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes = line.trim().trim_end_matches(" kB").parse().unwrap();
        self.peak.store(kilobytes, Ordering::SeqCst);
    }
}
