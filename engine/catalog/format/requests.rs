//! `requests` of a blueprint.

use std::{sync::Arc, time::Duration};

use crate::{
    catalog::{
        form::prelude::*,
        format::{
            auth::Signed,
            symbols::record,
            text::{as_text, headers, pairs, url},
        },
        tree::Node,
    },
    diagnostic::Diagnostics,
    model::{
        blueprint::{Arrays, Requests},
        http::{AUTHORIZATION, HeaderName},
        proxy::Route,
        template::{Expr, Part, Path, Template},
    },
    template::knowledge::Presence,
};

/// An answer is never larger unless the blueprint says so.
const MAX_RESPONSE: u64 = 50 * 1000 * 1000;
/// Of one exchange, unless the blueprint says otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Where requests go, and how long one exchange may take; `None` waits for ever.
pub type Timed = (Requests, Option<Duration>);

/// The place of a base's requests, which none are made of (RFC 2606: the name never resolves).
pub fn nowhere() -> Timed {
    let requests = Requests {
        base_url: Template::text("https://base.invalid"),
        hosts: Vec::new(),
        open_hosts: Vec::new(),
        headers: Vec::new(),
        params: Vec::new(),
        json: Vec::new(),
        form: Vec::new(),
        arrays: Arrays::default(),
        max_response: MAX_RESPONSE,
        route: None,
    };
    (requests, Some(TIMEOUT))
}

/// Where requests go and what they carry.
pub fn requests(o: &mut Object<'_>, signed: &Signed) -> Timed {
    let mut symbols = signed.names.secret().clone();
    if signed.signs {
        let known = record(&["value", "timestamp", "nonce"]);
        symbols = symbols.with("signature", known, Presence::Always);
    }
    let base_url = "Joined with a step's path by plain concatenation.";
    let base_url = key("base_url", base_url).like("https://api.example.com/v1").inherited();
    let fields = key("headers", "Header fields of every request; may use `credentials`.");
    let params = key("params", "Query parameters of every request; may use `credentials`.");
    let json = key("json", "Members of every JSON body; where a key sits in the body.");
    let form = key("form", "Fields of every form body.");
    let further = key("hosts", "Further hosts to which credentials may go.");
    let open = "Hosts to which reads may be redirected, without credentials (signed downloads).";
    let open = key("open_hosts", open);
    let bound = key("max_response", "Upper bound of an answer in bytes.");
    let proxy = "`http://[user:password@]host:port`, or `none`; without it that of the settings.";
    let proxy = key("proxy", proxy).like("http://proxy.example.com:3128");
    let lists = key("arrays", "How lists are written in query and form.");
    let timeout = key("timeout", "Of one exchange; `0s` waits for ever.");
    let mut requests = Requests {
        base_url: o.needed(base_url, url(&symbols, &signed.names)),
        hosts: o.list(further, HOST),
        open_hosts: o.list(open, OPEN_HOST),
        headers: o.or_empty(fields, headers(&symbols)),
        params: o.or_empty(params, Map(as_text(&symbols))),
        json: o.or_empty(json, pairs(&symbols)),
        form: o.or_empty(form, Map(as_text(&symbols))),
        arrays: o.or(lists, &ARRAYS, Arrays::Repeat),
        max_response: o.or(bound, WHOLE, MAX_RESPONSE),
        route: o.optional(proxy, ProxyForm),
    };
    if signed.bears_token && !carries_credentials(&requests.headers, o) {
        requests.headers.push((AUTHORIZATION, bearer()));
    }
    let timeout = Some(o.or(timeout, SPAN, TIMEOUT)).filter(|span| !span.is_zero());
    (requests, timeout)
}

/// Whether the file itself says where the token goes.
fn carries_credentials(fields: &[(HeaderName, Template)], o: &Object<'_>) -> bool {
    let token = |text: &str| text.contains("credentials.access_token");
    let params = o.raw("params").map(|node| node.to_json().to_string());
    fields.iter().any(|(name, template)| name == AUTHORIZATION || token(&template.source))
        || params.is_some_and(|text| token(&text))
}

/// `Bearer {{credentials.access_token}}`
fn bearer() -> Template {
    let segments = vec!["access_token".to_owned()];
    let path = Path { root: "credentials".to_owned(), segments, offset: 9 };
    Template {
        source: "Bearer {{credentials.access_token}}".into(),
        parts: vec![Part::Text("Bearer ".to_owned()), Part::Expr(Expr::Path(path))],
    }
}

/// `files.example.com`, or `*.example.com`; never a whole top-level domain. In lower case.
const HOST: Scalar<String> = Scalar {
    kind: Described::Text(Some("files.example.com")),
    read: |node| {
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a host",
            hint: "write `files.example.com` or `*.example.com`",
        };
        spelled(node, host, refusal)
    },
    ..TEXT
};

/// As [`HOST`], or `*` for any.
const OPEN_HOST: Scalar<String> = Scalar {
    kind: Described::Text(Some("*.amazonaws.com")),
    read: |node| {
        let refusal = Refusal {
            code: "file.bad-value",
            expected: "a host",
            hint: "write `files.example.com`, `*.example.com`, or `*` for any host",
        };
        spelled(node, |text| if text == "*" { Some("*".to_owned()) } else { host(text) }, refusal)
    },
    ..TEXT
};

fn host(text: &str) -> Option<String> {
    let plain = text.strip_prefix("*.").unwrap_or(text);
    let byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let whole = !plain.is_empty() && !plain.starts_with('.') && !plain.ends_with('.');
    let wide = text.starts_with("*.") && !plain.contains('.');
    (whole && !wide && plain.bytes().all(byte)).then(|| text.to_ascii_lowercase())
}

/// The URL of a proxy, or `none`. No message repeats it: it may hold a password.
struct ProxyForm;

impl Form for ProxyForm {
    type Value = Route;

    fn kind(&mut self, _: &mut Description) -> Described {
        Described::Text(Some("http://proxy.example.com:3128"))
    }

    fn read(&mut self, node: &Arc<Node>, found: &mut Diagnostics) -> Option<Route> {
        let Some(text) = node.as_str() else { return wrong_type(node, "a text", found) };
        let route = Route::parse(text).ok();
        if route.is_none() {
            // It may hold a password: it is not shown.
            found
                .error("file.bad-value", "expected the URL of a proxy")
                .at(&node.place)
                .hint("write `http://host:port`, `http://user:password@host:port`, or `none`");
        }
        route
    }
}

static ARRAYS: Choices<Arrays> = Choices {
    name: "Arrays",
    doc: "How lists are written.",
    rows: &[
        row("repeat", Arrays::Repeat, "`a=1&a=2`"),
        row("brackets", Arrays::Brackets, "`a[]=1&a[]=2`"),
        row("indices", Arrays::Indices, "`a[0]=1&a[1]=2`"),
        row("comma", Arrays::Comma, "`a=1,2`"),
    ],
};
