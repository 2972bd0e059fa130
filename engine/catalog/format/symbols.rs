//! What templates of each place may see.

use std::sync::Arc;

use serde_json::Value;

use crate::template::knowledge::{Knowledge, Member, Presence, Symbols, of_schema};

/// What blueprints and actions may name, by the blueprint's schemas.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Of `connection`.
    pub connection_schema: Arc<Value>,
    /// Of `credentials`; `null` where they may not be named.
    pub credentials_schema: Arc<Value>,
    base: Symbols,
    secret: Symbols,
}

impl Names {
    /// For actions, which never see `credentials`. `saved` are the names that `auth.save` and
    /// `connect.save` put on the connection.
    pub fn new<'a>(
        config: &Value,
        connection: &Arc<Value>,
        saved: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let base = Symbols::new()
            .with("integration", integration(config), Presence::Always)
            .with("connection", connected(connection, saved), Presence::Always)
            .with("run", record(&["id", "started_at"]), Presence::Always);
        let connection_schema = Arc::clone(connection);
        Self { connection_schema, credentials_schema: Arc::default(), secret: base.clone(), base }
    }

    /// For blueprints: with what a connection holds by the schema of its credentials, and what
    /// its mode and the integration add.
    #[must_use]
    pub fn with_credentials(mut self, schema: &Arc<Value>, added: &[String]) -> Self {
        let known = of_schema(schema);
        if matches!(known, Knowledge::Open) {
            self.secret = self.base.clone().with("credentials", known, Presence::Always);
            self.credentials_schema = Arc::clone(schema);
            return self;
        }
        let mut members = always(known);
        let integration = ["client_id", "client_secret", "app_api_key"];
        for name in added.iter().map(String::as_str).chain(integration) {
            if members.iter().all(|member| member.name != name) {
                members.push(member(name, Knowledge::Leaf));
            }
        }
        members.push(member("raw", Knowledge::Open));
        let credentials = Knowledge::Record { members, open: false };
        self.secret = self.base.clone().with("credentials", credentials, Presence::Always);
        self.credentials_schema = Arc::clone(schema);
        self
    }

    /// For `auth`: one signs in outside of any run.
    #[must_use]
    pub fn outside_runs(mut self) -> Self {
        self.base = self.base.without("run");
        self.secret = self.secret.without("run");
        self
    }

    /// Only `integration`: what is known when the files are read.
    pub fn settings(&self) -> Symbols {
        self.base.clone().without("connection").without("run")
    }

    /// `integration`, `connection`, `run`.
    pub fn base(&self) -> &Symbols {
        &self.base
    }

    /// With `credentials`: only in `auth`, `requests`, `connect`.
    pub fn secret(&self) -> &Symbols {
        &self.secret
    }

    /// With the answer at hand: rules, errors.
    pub fn answer(&self) -> Symbols {
        with_answer(self.base.clone())
    }
}

/// `name`, `config`, and the members of `config` by their own names.
fn integration(schema: &Value) -> Knowledge {
    let config = of_schema(schema);
    let mut members = match &config {
        Knowledge::Record { members, .. } => members.clone(),
        Knowledge::Open | Knowledge::List(_) | Knowledge::Leaf => Vec::new(),
    };
    members.retain(|member| member.name != "name" && member.name != "config");
    members.push(member("name", Knowledge::Leaf));
    members.push(member("config", config));
    Knowledge::Record { members, open: false }
}

/// Everything that a connection can carry; what is discovered later counts as there.
fn connected<'a>(schema: &Value, saved: impl IntoIterator<Item = &'a str>) -> Knowledge {
    let mut members = always(of_schema(schema));
    members.extend(saved.into_iter().map(|name| member(name, Knowledge::Open)));
    members.push(member("metadata", Knowledge::Open));
    Knowledge::Record { members, open: false }
}

/// The members of a record, as if all were there: whether they are is found out at run time.
fn always(knowledge: Knowledge) -> Vec<Member> {
    let members = match knowledge {
        Knowledge::Record { members, .. } => members,
        Knowledge::Open | Knowledge::List(_) | Knowledge::Leaf => Vec::new(),
    };
    let there = |member| Member { presence: Presence::Always, ..member };
    members.into_iter().map(there).collect()
}

/// `status`, `headers`, `body`.
pub fn with_answer(symbols: Symbols) -> Symbols {
    symbols
        .with("status", Knowledge::Leaf, Presence::Always)
        .with("headers", Knowledge::Open, Presence::Always)
        .with("body", Knowledge::Open, Presence::Always)
}

/// And `items`, `last`.
pub fn with_items(symbols: Symbols) -> Symbols {
    let items = Knowledge::List(Box::new(Knowledge::Open));
    with_answer(symbols).with("items", items, Presence::Always).with(
        "last",
        Knowledge::Open,
        Presence::Maybe,
    )
}

/// What `steps.<id>` of a step holds.
pub fn step_record(each: bool, paged: bool) -> Knowledge {
    let list = || Knowledge::List(Box::new(Knowledge::Open));
    if each {
        let mut members: Vec<_> =
            ["results", "outputs", "errors"].map(|name| member(name, list())).into();
        if paged {
            members.extend(cut());
        }
        return Knowledge::Record { members, open: false };
    }
    let mut members = vec![
        member("status", Knowledge::Leaf),
        member("headers", Knowledge::Open),
        member("header_values", Knowledge::Open),
        member("cookies", Knowledge::Leaf),
        member("body", Knowledge::Open),
        // A step's own `output` may come to nothing.
        Member {
            name: "output".to_owned(),
            knowledge: Knowledge::Open,
            presence: Presence::Always,
        },
    ];
    if paged {
        members.push(member("items", list()));
        members.extend(cut());
        members.push(Member { presence: Presence::Maybe, ..member("next", Knowledge::Leaf) });
    }
    Knowledge::Record { members, open: false }
}

/// Whether a list was cut, and why.
fn cut() -> [Member; 2] {
    let by = member("truncated_by", Knowledge::Leaf);
    [member("truncated", Knowledge::Leaf), Member { presence: Presence::Maybe, ..by }]
}

/// A member that is always there.
pub fn member(name: &str, knowledge: Knowledge) -> Member {
    Member { name: name.to_owned(), knowledge, presence: Presence::Always }
}

/// A record of these leaves.
pub fn record(names: &[&str]) -> Knowledge {
    let members = names.iter().map(|name| member(name, Knowledge::Leaf)).collect();
    Knowledge::Record { members, open: false }
}
