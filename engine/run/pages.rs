//! A step's requests, page after page, and what they come to.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::{
    model::{
        action::{Step, StepPagination},
        failure::{Code, Failure},
        http::{Fields, HeaderMap, HeaderValue, is_idempotent},
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
        cx::Cx,
        fault, key,
        note::Turn,
        request,
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
pub async fn run(
    cx: &Cx<'_>,
    (step, plan): (&Step, &StepPlan),
    scope: Scope<'_>,
    item: Option<u64>,
) -> Result<StepResult, Failure> {
    let in_step = |failure: Failure| Failure { step: Some(step.id.clone()), ..failure };
    let mut walk = start(cx, step, &scope).map_err(in_step)?;
    let mut changes = walk.as_ref().map(Walk::first).unwrap_or_default();
    let mut items = step.paginate.as_ref().map(|_| Vec::new());
    let mut page = 0;
    loop {
        page += 1;
        let mut rendered = request::render(cx.base, cx.blueprint(), (step, &changes), &scope)
            .map_err(|f| fault::failure(&f, &step.id))?;
        if let Some(header) = &cx.blueprint().idempotency_header
            && !is_idempotent(&step.method)
        {
            let key = key::idempotency(&cx.invocation.id, &step.id, (item, page));
            let key =
                HeaderValue::try_from(key).map_err(|e| fault::failure(&e.into(), &step.id))?;
            rendered.put(header, key);
        }
        let ask = Ask {
            name: &step.id,
            rendered: &rendered,
            turn: Turn { item, page },
            rules: &step.rules,
            idempotent: step.idempotent,
            reading: Reading::Whole { accept: step.accept, demand: &plan.body },
        };
        let mut settled = attempt::settle(cx, &ask, &scope).await?;
        let (Some(walk), Some(paginate)) = (&mut walk, &step.paginate) else {
            return finish(step, plan, (settled, items, None, false), &scope);
        };
        let seen = Seen { settled: &settled, url: &rendered.request.url, headers: plan.headers };
        let next = advance(cx, (step, paginate, walk), &seen, &scope)?;
        if let Some(rows) = &mut items {
            take(&paginate.pagination, &mut settled.body, rows, &scope)
                .map_err(|f| fault::failure(&f, &step.id))?;
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
                return finish(step, plan, (settled, items, None, truncated), &scope);
            }
            Following::Page(next) if paginate.one => {
                let about = format!("{}/{}", cx.name, step.id);
                let place = token::Place { about: &about, base: &cx.base.url };
                let token = token::seal(&next, place, &cx.invocation.token_key);
                return finish(step, plan, (settled, items, Some(token), false), &scope);
            }
            Following::Page(next) => changes = next,
        }
    }
}

/// Where to begin: at the start, or where an earlier call stopped.
fn start(cx: &Cx<'_>, step: &Step, scope: &Scope<'_>) -> Result<Option<Walk>, Failure> {
    let Some(paginate) = &step.paginate else { return Ok(None) };
    let from = match &paginate.from {
        Some(template) => template::text(template, scope).map_err(|f| fault::plain(&f))?,
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
struct Seen<'a> {
    settled: &'a Settled,
    url: &'a url::Url,
    /// Whether any template reads `headers`.
    headers: bool,
}

/// The next page, its URL checked against the hosts that may see credentials.
fn advance(
    cx: &Cx<'_>,
    (step, paginate, walk): (&Step, &StepPagination, &mut Walk),
    Seen { settled, url, headers }: &Seen<'_>,
    scope: &Scope<'_>,
) -> Result<Following, Failure> {
    let fail = |message: String| {
        let mut failure = Failure::new(Code::ProviderError, message);
        failure.step = Some(step.id.clone());
        failure.status = Some(settled.status);
        failure
    };
    let pagination = &paginate.pagination;
    let headers = if *headers { settled.headers.root() } else { Value::Null };
    let status = Value::from(settled.status);
    let seen =
        scope.clone().with("body", &settled.body).with("status", &status).with("headers", &headers);
    let rows = rows(pagination, &settled.body, &seen).map_err(|f| fault::failure(&f, &step.id))?;
    let last = rows.as_array().and_then(|rows| rows.last());
    let seen = seen.with("items", &rows);
    let seen = match last {
        Some(last) => seen.with("last", last),
        None => seen,
    };
    let facts = PageFacts {
        items: rows.as_array().map_or(0, Vec::len),
        headers: &settled.headers,
        scope: &seen,
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

/// The step's own result.
fn finish(
    step: &Step,
    plan: &StepPlan,
    (settled, items, next, truncated): (Settled, Option<Vec<Value>>, Option<String>, bool),
    scope: &Scope<'_>,
) -> Result<StepResult, Failure> {
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
            let output =
                owned.evaluate(shape, list, &scope).map_err(|f| fault::failure(&f, &step.id))?;
            result.output = StepOutput::Own(output);
            return Ok(result);
        }
        let scope = scope.with("items", &list);
        let scope = match list.as_array().and_then(|list| list.last()) {
            Some(last) => scope.with("last", last),
            None => scope,
        };
        let output = template::evaluate(shape, &scope).map_err(|f| fault::failure(&f, &step.id))?;
        result.output = StepOutput::Own(output);
    }
    if let (Some(_), Value::Array(list)) = (&step.paginate, list) {
        result.items = Some(list);
    }
    Ok(result)
}
