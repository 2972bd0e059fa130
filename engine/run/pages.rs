//! A step's requests, page after page, and what they come to.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::{
    model::{
        action::StepPagination,
        failure::{Code, Failure},
        http::{Fields, HeaderMap},
        pagination::{Change, Pagination},
    },
    policy::{
        host,
        paginate::{Advance, PageFacts, Walk},
        plan::StepPlan,
        token,
    },
    run::{
        arrival::Reading,
        attempt::{self, Ask, Settled},
        context::Execution,
        key,
        note::Turn,
        result::Warning,
    },
    template::{self, Scope},
    value::path,
};

/// What one execution of a step came to.
pub struct StepResult {
    status: u16,
    headers: HeaderMap,
    body: Value,
    items: Option<Vec<Value>>,
    next: Option<String>,
    truncated: bool,
    output: StepOutput,
}

/// What a step yields.
enum StepOutput {
    /// Its `output:`, which may come to nothing.
    Own(Option<Value>),
    /// Its items, or its body.
    Implied,
}

impl StepResult {
    /// What `steps.<id>` holds.
    pub fn into_record(self, plan: &StepPlan) -> Value {
        let mut map = Map::new();
        map.insert("status".to_owned(), self.status.into());
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value.filter(|_| plan.wants(name)) {
                map.insert(name.to_owned(), value);
            }
        };
        put("headers", Some(self.headers.root()));
        put("next", self.next.map(Value::from));
        put("truncated", Some(self.truncated.into()));
        // Without `output`, a step yields its items or its body.
        let implied = || match &self.items {
            Some(items) => Value::Array(items.clone()),
            None => self.body.clone(),
        };
        let output = match self.output {
            StepOutput::Own(output) => output,
            StepOutput::Implied => plan.wants("output").then(implied),
        };
        put("output", output);
        put("items", self.items.map(Value::Array));
        put("body", Some(self.body));
        Value::Object(map)
    }

    /// The head of the last answer, and all items.
    pub fn into_pages(self) -> (u16, HeaderMap, Value) {
        (self.status, self.headers, self.items.unwrap_or_default().into())
    }

    /// What an item of `each` comes to; `None` is absent.
    pub fn into_output(self) -> Option<Value> {
        match self.output {
            StepOutput::Own(output) => output,
            StepOutput::Implied => Some(self.items.map_or(self.body, Value::Array)),
        }
    }
}

/// Executes a step once: one request, or all its pages.
pub async fn run(here: &Execution<'_>) -> Result<StepResult, Failure> {
    let Execution { cx, step, plan, scope, item } = here;
    let mut walk = start(here).map_err(|failure| here.failed(failure))?;
    let mut changes = walk.as_ref().map(Walk::first).unwrap_or_default();
    let mut items = step.paginate.as_ref().map(|_| Vec::new());
    let mut page = 0;
    loop {
        page += 1;
        let turn = Turn { item: *item, page };
        let key = || key::idempotency(&cx.invocation.id, &step.id, turn);
        let rendered = cx.renderer(scope).step(step, &changes, key).map_err(|f| here.fault(&f))?;
        let ask = Ask {
            name: &step.id,
            rendered: &rendered,
            turn,
            rules: &step.rules,
            idempotent: step.idempotent,
            reading: Reading::Whole { accept: step.accept, demand: &plan.body },
            scope,
        };
        let mut settled = attempt::settle(cx, &ask).await?;
        let (Some(walk), Some(paginate)) = (&mut walk, &step.paginate) else {
            return finish(here, settled, PagesRead::default());
        };
        let page = Page { settled: &settled, url: &rendered.request.url };
        let next = advance(here, paginate, walk, &page)?;
        if let Some(rows) = &mut items {
            take(&paginate.pagination, &mut settled.body, rows, scope)
                .map_err(|f| here.fault(&f))?;
        }
        if item.is_none() {
            let count = items.as_ref().map_or(0, Vec::len) as u64;
            cx.observer.progress(&step.id, count, None);
        }
        match next {
            Following::End { truncated } => {
                if truncated {
                    cx.warn(Warning::Truncated { step: step.id.clone() });
                }
                if let (Some(rows), Some(most)) = (&mut items, paginate.pagination.max_items) {
                    rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
                }
                return finish(here, settled, PagesRead { items, next: None, truncated });
            }
            Following::Page(next) if paginate.one => {
                let about = format!("{}/{}", cx.name, step.id);
                let place = token::Place { about: &about, base: &cx.base.url };
                let token = token::seal(&next, place, &cx.invocation.token_key);
                let read = PagesRead { items, next: Some(token), truncated: false };
                return finish(here, settled, read);
            }
            Following::Page(next) => changes = next,
        }
    }
}

/// Where to begin: at the start, or where an earlier call stopped.
fn start(here: &Execution<'_>) -> Result<Option<Walk>, Failure> {
    let Execution { cx, step, scope, .. } = here;
    let Some(paginate) = &step.paginate else { return Ok(None) };
    let from = match &paginate.from {
        Some(template) => template::text(template, scope).map_err(|f| here.fault(&f))?,
        None => None,
    };
    let changes = match from {
        None => None,
        Some(text) => {
            let about = format!("{}/{}", cx.name, step.id);
            let place = token::Place { about: &about, base: &cx.base.url };
            let opened = token::open(&text, place, &cx.invocation.token_key).map_err(|_| {
                Failure::new(Code::InvalidInput, "the page token is not one of this action")
                    .with_hint("give the token of the previous call, unchanged, or none")
            })?;
            Some(opened)
        }
    };
    Ok(Some(Walk::start(&paginate.pagination, changes)))
}

/// What comes after a page, its URL checked.
enum Following {
    /// Nothing, or nothing more that may be read.
    End { truncated: bool },
    /// Another page.
    Page(Vec<Change>),
}

/// The page at hand.
struct Page<'a> {
    settled: &'a Settled,
    url: &'a url::Url,
}

/// What all pages of an execution came to.
#[derive(Default)]
struct PagesRead {
    /// `None`: it reads no pages.
    items: Option<Vec<Value>>,
    /// The token of the page after them, if they are read one at a time.
    next: Option<String>,
    truncated: bool,
}

/// The next page, its URL checked against the hosts that may see credentials.
fn advance(
    here: &Execution<'_>,
    paginate: &StepPagination,
    walk: &mut Walk,
    page: &Page<'_>,
) -> Result<Following, Failure> {
    let Execution { cx, plan, .. } = here;
    let Page { settled, url } = page;
    let fail = |message: String| {
        let mut failure = Failure::new(Code::ProviderError, message);
        failure.status = Some(settled.status);
        here.failed(failure)
    };
    let pagination = &paginate.pagination;
    let headers = if plan.headers { settled.headers.root() } else { Value::Null };
    let status = Value::from(settled.status);
    let scope = here
        .scope
        .clone()
        .with("body", &settled.body)
        .with("status", &status)
        .with("headers", &headers);
    let rows = rows(pagination, &settled.body, &scope).map_err(|f| here.fault(&f))?;
    let last = rows.as_array().and_then(|rows| rows.last());
    let scope = scope.with("items", &rows);
    let scope = match last {
        Some(last) => scope.with("last", last),
        None => scope,
    };
    let facts = PageFacts {
        items: rows.as_array().map_or(0, Vec::len),
        headers: &settled.headers,
        scope: &scope,
    };
    let advance = walk.advance(pagination, &facts).map_err(|stuck| fail(stuck.to_string()))?;
    let changes = match advance {
        Advance::End { truncated } => return Ok(Following::End { truncated }),
        Advance::Next(changes) => changes,
    };
    let guarded = changes.into_iter().map(|change| match change {
        Change::Url(target) => {
            let allowed = host::guard(&cx.base.url, &cx.blueprint().requests.hosts, url, &target);
            allowed.map(Change::Url).map_err(|denied| fail(denied.to_string()))
        }
        Change::Set(target, value) => Ok(Change::Set(target, value)),
    });
    Ok(Following::Page(guarded.collect::<Result<_, _>>()?))
}

/// The rows of a page, borrowed where possible.
fn rows<'a>(
    pagination: &'a Pagination,
    body: &'a Value,
    scope: &Scope<'a>,
) -> Result<Cow<'a, Value>, template::Fault> {
    let found = match &pagination.items {
        None => Cow::Borrowed(body),
        Some(template) => template::value(template, scope)?.unwrap_or(Cow::Owned(Value::Null)),
    };
    if found.is_array() {
        return Ok(found);
    }
    Err(template::Fault {
        message: "`paginate.items` is no list in this answer".to_owned(),
        from_input: false,
    })
}

/// Moves the rows of a page over; copies only where `items` is more than a plain path.
fn take(
    pagination: &Pagination,
    body: &mut Value,
    rows: &mut Vec<Value>,
    scope: &Scope<'_>,
) -> Result<(), template::Fault> {
    let place = match &pagination.items {
        None => Some(&mut *body),
        Some(template) => {
            let path = template.path().filter(|path| path.root == "body");
            path.and_then(|path| path::get_mut(body, &path.segments))
        }
    };
    if let Some(Value::Array(list)) = place {
        rows.append(list);
        return Ok(());
    }
    let scope = scope.clone().with("body", body);
    if let Some(template) = &pagination.items
        && let Some(Value::Array(list)) = template::value(template, &scope)?.as_deref()
    {
        rows.extend_from_slice(list);
    }
    Ok(())
}

/// What the execution came to.
fn finish(here: &Execution<'_>, settled: Settled, read: PagesRead) -> Result<StepResult, Failure> {
    let Execution { step, plan, scope, .. } = here;
    let PagesRead { items, next, truncated } = read;
    let mut result = StepResult {
        status: settled.status,
        headers: settled.headers,
        body: settled.body,
        items: None,
        next,
        truncated,
        output: StepOutput::Implied,
    };
    let list = Value::Array(items.unwrap_or_default());
    if let Some(shape) = &step.output {
        let status = json!(result.status);
        let headers = if plan.headers { result.headers.root() } else { json!({}) };
        let scope = scope
            .clone()
            .with("status", &status)
            .with("headers", &headers)
            .with("body", &result.body);
        if let Some(owned) = &plan.output {
            let output = owned.evaluate(shape, list, &scope).map_err(|f| here.fault(&f))?;
            result.output = StepOutput::Own(output);
            return Ok(result);
        }
        let scope = scope.with("items", &list);
        let scope = match list.as_array().and_then(|list| list.last()) {
            Some(last) => scope.with("last", last),
            None => scope,
        };
        let output = template::evaluate(shape, &scope).map_err(|f| here.fault(&f))?;
        result.output = StepOutput::Own(output);
    }
    if let (Some(_), Value::Array(list)) = (&step.paginate, list) {
        result.items = Some(list);
    }
    Ok(result)
}
