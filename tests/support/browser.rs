//! What a browser does, as far as signing in needs it: follows redirects, keeps cookies, posts forms.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

/// One with its cookies.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

/// Where it ended, and what it showed.
pub struct Shown {
    /// The status; 0 where it stopped.
    pub status: u16,
    /// The URL.
    pub url: String,
    /// The page.
    pub page: String,
}

impl Browser {
    /// Opens a page, following redirects until `stop` says that one is far enough.
    pub fn open(&mut self, url: &str, stop: impl Fn(&str) -> bool) -> Shown {
        self.send("GET", url, "", stop)
    }

    /// Posts a form to a page.
    pub fn post(&mut self, url: &str, form: &str) -> Shown {
        self.send("POST", url, form, |_| false)
    }

    /// The same, following redirects until `stop` says that one is far enough.
    pub fn post_until(&mut self, url: &str, form: &str, stop: impl Fn(&str) -> bool) -> Shown {
        self.send("POST", url, form, stop)
    }

    fn send(&mut self, method: &str, url: &str, form: &str, stop: impl Fn(&str) -> bool) -> Shown {
        let (mut method, mut url, mut form) = (method.to_owned(), url.to_owned(), form.to_owned());
        for _ in 0..20 {
            if stop(&url) {
                return Shown { status: 0, url, page: String::new() };
            }
            let (status, headers, page) = self.once(&method, &url, &form);
            match headers.iter().find(|(name, _)| name == "location") {
                Some((_, to)) if (300..400).contains(&status) => {
                    url = url::Url::parse(&url).unwrap().join(to).unwrap().into();
                    (method, form) = ("GET".to_owned(), String::new());
                }
                _ => return Shown { status, url, page },
            }
        }
        panic!("too many redirects: {url}");
    }

    fn once(
        &mut self,
        method: &str,
        url: &str,
        form: &str,
    ) -> (u16, Vec<(String, String)>, String) {
        let url = url::Url::parse(url).unwrap();
        let host = url.host_str().unwrap();
        let port = url.port().unwrap_or(80);
        let address = if host == "localhost" { "127.0.0.1" } else { host };
        let mut stream = TcpStream::connect((address, port)).unwrap();
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\ncookie: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            cookies.join("; "),
            form.len()
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        for (_, value) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = value.split(';').next().unwrap_or("");
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        (status, headers, body.to_owned())
    }
}

/// The value of an attribute-like text: `after("name=\"xsrf\" value=\"", …)`.
pub fn after<'t>(text: &'t str, mark: &str) -> &'t str {
    let (_, rest) = text.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.split(['"', '\'', '<', ' ', '\n']).next().unwrap_or_default()
}
