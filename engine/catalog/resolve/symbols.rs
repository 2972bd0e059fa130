//! What templates of each place may see.

use serde_json::Value;

use crate::template::knowledge::{Knowledge, Member, Presence, Symbols, of_schema};

/// The schemas that decide what blueprints and actions may name.
#[derive(Debug, Default, Clone)]
pub struct Names {
    /// Of `integration.config`.
    pub config: Value,
    /// Of `connection`.
    pub connection: Value,
    /// Saved by `auth` and `connect`.
    pub saved: Vec<String>,
}

impl Names {
    /// `integration`, `connection`, `run`.
    pub fn base(&self) -> Symbols {
        Symbols::new()
            .with("integration", self.integration(), Presence::Always)
            .with("connection", self.connection(), Presence::Always)
            .with("run", record(&["id", "started_at"]), Presence::Always)
    }

    /// With `credentials`: only in `auth`, `requests`, `connect`.
    pub fn secret(&self) -> Symbols {
        self.base().with("credentials", Knowledge::Open, Presence::Always)
    }

    /// With the answer at hand: rules, errors.
    pub fn answer(&self) -> Symbols {
        with_answer(self.base())
    }

    /// `name`, `config`, and the members of `config` by their own names.
    fn integration(&self) -> Knowledge {
        let config = of_schema(&self.config);
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
    fn connection(&self) -> Knowledge {
        let mut members = match of_schema(&self.connection) {
            Knowledge::Record { members, .. } => members,
            Knowledge::Open | Knowledge::List(_) | Knowledge::Leaf => Vec::new(),
        };
        for member in &mut members {
            member.presence = Presence::Always;
        }
        members.extend(self.saved.iter().map(|name| member(name, Knowledge::Open)));
        members.push(member("metadata", Knowledge::Open));
        Knowledge::Record { members, open: false }
    }
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
    with_answer(symbols)
        .with("items", items, Presence::Always)
        .with("last", Knowledge::Open, Presence::Maybe)
}

/// What `steps.<id>` of a step holds.
pub fn step_record(each: bool, paged: bool) -> Knowledge {
    let list = || Knowledge::List(Box::new(Knowledge::Open));
    if each {
        let members = ["results", "outputs", "errors"].map(|name| member(name, list()));
        return Knowledge::Record { members: members.into(), open: false };
    }
    let mut members = vec![
        member("status", Knowledge::Leaf),
        member("headers", Knowledge::Open),
        member("body", Knowledge::Open),
        // A step's own `output` may come to nothing.
        Member { name: "output".to_owned(), knowledge: Knowledge::Open, presence: Presence::Always },
    ];
    if paged {
        members.push(member("items", list()));
        members.push(member("truncated", Knowledge::Leaf));
        let next = Member { presence: Presence::Maybe, ..member("next", Knowledge::Leaf) };
        members.push(next);
    }
    Knowledge::Record { members, open: false }
}

/// A member that is always there.
pub fn member(name: &str, knowledge: Knowledge) -> Member {
    Member { name: name.to_owned(), knowledge, presence: Presence::Always }
}

fn record(names: &[&str]) -> Knowledge {
    let members = names.iter().map(|name| member(name, Knowledge::Leaf)).collect();
    Knowledge::Record { members, open: false }
}
