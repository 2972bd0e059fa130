//! A step's requests, page after page, and what they come to.

use serde_json::{Map, Value, json};

use crate::{
    model::{
        action::StepPagination,
        failure::{Code, Failure},
        http::{Fields, HeaderMap},
        pagination::{Change, Cut},
    },
    policy::{
        host,
        paginate::{Advance, PageFacts, Resume, Walk, WalkError},
        plan::StepPlan,
    },
    run::{
        arrival::Reading,
        attempt,
        bounds::Held,
        context::Execution,
        exchange::{Ask, Settled},
        result::Warning,
        resume,
        rows::{self, LastPage},
        writes::Turn,
    },
    template, value,
};

/// What one execution of a step came to.
pub struct StepResult {
    status: u16,
    headers: HeaderMap,
    body: Value,
    items: Option<Vec<Value>>,
    next: Option<String>,
    cut: Option<Cut>,
    output: StepOutput,
    /// What of the answers it holds.
    held: Held,
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
    pub fn into_record(mut self, plan: &StepPlan) -> StepRecord {
        if let StepOutput::Own(output) = &self.output
            && !["body", "items"].iter().any(|name| plan.wants(name))
        {
            self.held.shrink(output.as_ref().map_or(0, value::weight));
        }
        let mut map = Map::new();
        map.insert("status".to_owned(), self.status.into());
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value.filter(|_| plan.wants(name)) {
                map.insert(name.to_owned(), value);
            }
        };
        for (name, value) in [
            ("headers", (|headers| headers.root()) as fn(&HeaderMap) -> Value),
            ("header_values", |headers| headers.all_values()),
            ("cookies", |headers| headers.cookies().into()),
        ] {
            put(name, plan.wants(name).then(|| value(&self.headers)));
        }
        put("next", self.next.map(Value::from));
        put("truncated", Some(self.cut.is_some().into()));
        put("truncated_by", self.cut.map(|cut| cut.as_str().into()));
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
        StepRecord { value: Value::Object(map), held: self.held }
    }

    /// The head of the last answer, and all items.
    pub fn into_pages(self) -> (u16, HeaderMap, Value) {
        (self.status, self.headers, self.items.unwrap_or_default().into())
    }

    /// What an item of `each` comes to.
    pub fn into_output(self) -> ItemOutput {
        let Self { body, items, cut, output, mut held, .. } = self;
        let output = match output {
            StepOutput::Own(output) => {
                held.shrink(output.as_ref().map_or(0, value::weight));
                output
            }
            StepOutput::Implied => Some(items.map_or(body, Value::Array)),
        };
        ItemOutput { output, cut, held }
    }
}

/// What `steps.<id>` holds, as long as the run does.
pub struct StepRecord {
    /// The object.
    pub value: Value,
    /// What of the answers is in it.
    pub held: Held,
}

/// What an item of `each` came to.
pub struct ItemOutput {
    /// `None` is absent.
    pub output: Option<Value>,
    /// Why its list was cut.
    pub cut: Option<Cut>,
    /// What of the answers is in it.
    pub held: Held,
}

/// Executes a step once: one request, or all its pages.
pub async fn run(here: &Execution<'_>) -> Result<StepResult, Failure> {
    let Execution { cx, step, scope, item, .. } = here;
    let mut held = cx.bounds.nothing();
    let mut walk = start(here).map_err(|failure| here.failed(failure))?;
    let mut changes = walk.as_ref().map(Walk::first).unwrap_or_default();
    let mut items = step.paginate.as_ref().map(|_| Vec::new());
    let mut page = 0;
    let mut last = LastPage::default();
    loop {
        page += 1;
        let mut settled = fetch(here, &changes, Turn { item: *item, page }).await?;
        let (Some(walk), Some(paginate)) = (&mut walk, &step.paginate) else {
            return finish(here, settled, PagesRead::default());
        };
        let read = items.as_deref().unwrap_or_default();
        let page = Page { settled: &settled, read, last: &mut last };
        let Following { next, cut } = advance(here, paginate, walk, page)?;
        if let Some(rows) = items.as_mut().filter(|_| cut != Some(Cut::Repeated)) {
            let before = rows.len();
            rows::take(&paginate.pagination, &mut settled.body, rows, scope)
                .map_err(|f| here.fault(&f))?;
            cx.bounds.rows(rows.len() - before).map_err(|failure| here.failed(failure))?;
        }
        if item.is_none() {
            let count = items.as_ref().map_or(0, Vec::len) as u64;
            cx.observer.progress(&step.id, count, None);
        }
        match next {
            Some(next) if paginate.one => {
                let resume = Resume { changes: next, rows: walk.rows() };
                let token = resume::seal(here, paginate, &resume).map_err(|f| here.failed(f))?;
                settled.held.join(held);
                let read = PagesRead { items, next: Some(token), cut: None };
                return finish(here, settled, read);
            }
            Some(next) if cut.is_none() => {
                changes = next;
                held.join(settled.held);
            }
            Some(_) | None => {
                if let Some(by) = cut {
                    cx.warn(Warning::Truncated { step: step.id.clone(), by });
                }
                if let (Some(rows), Some(most)) = (&mut items, paginate.pagination.max_items) {
                    rows.truncate(usize::try_from(most).unwrap_or(usize::MAX));
                }
                settled.held.join(held);
                return finish(here, settled, PagesRead { items, next: None, cut });
            }
        }
    }
}

/// One request of a step, made with what has changed since the first.
async fn fetch(here: &Execution<'_>, changes: &[Change], turn: Turn) -> Result<Settled, Failure> {
    let Execution { cx, step, plan, scope, .. } = here;
    let key = || cx.invocation.idempotency(&step.id, turn);
    let (accept, demand, needed) = (step.accept, &plan.body, plan.needs_body);
    let ask = Ask {
        name: &step.id,
        method: &step.method,
        render: &|renderer| renderer.step(step, changes, key),
        turn,
        rules: &step.rules,
        idempotent: step.idempotent,
        reading: Reading::Whole { accept, demand, needed },
        scope,
    };
    attempt::settle(cx, &ask).await
}

/// Where to begin: at the start, or where an earlier call stopped.
fn start(here: &Execution<'_>) -> Result<Option<Walk>, Failure> {
    let Some(paginate) = &here.step.paginate else { return Ok(None) };
    Ok(Some(Walk::start(&paginate.pagination, resume::open(here, paginate)?)))
}

/// What comes after a page.
struct Following {
    /// Another page, its URL checked.
    next: Option<Vec<Change>>,
    /// Why nothing more is read.
    cut: Option<Cut>,
}

/// The page at hand.
struct Page<'a> {
    settled: &'a Settled,
    /// The rows of the pages before it.
    read: &'a [Value],
    last: &'a mut LastPage,
}

/// What all pages of an execution came to.
#[derive(Default)]
struct PagesRead {
    /// `None`: it reads no pages.
    items: Option<Vec<Value>>,
    /// The token of the page after them, if they are read one at a time.
    next: Option<String>,
    cut: Option<Cut>,
}

/// The next page, its URL checked against the hosts that may see credentials.
fn advance(
    here: &Execution<'_>,
    paginate: &StepPagination,
    walk: &mut Walk,
    page: Page<'_>,
) -> Result<Following, Failure> {
    let Execution { cx, plan, .. } = here;
    let Page { settled, read, last: before } = page;
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
    let rows = rows::of(pagination, &settled.body, &scope).map_err(|f| here.fault(&f))?;
    let last = rows.as_array().and_then(|rows| rows.last());
    let scope = scope.with("items", &rows);
    let scope = match last {
        Some(last) => scope.with("last", last),
        None => scope,
    };
    let list = rows.as_array().map_or(&[][..], Vec::as_slice);
    let facts = PageFacts {
        items: list.len(),
        repeated: before.repeats(pagination, settled.raw.clone(), read, list),
        headers: &settled.headers,
        scope: &scope,
    };
    let advance = walk.advance(pagination, &facts).map_err(|error| match error {
        WalkError::Stuck(stuck) => fail(stuck.to_string()),
        WalkError::Fault(fault) => here.fault(&fault),
    })?;
    let Advance { next, cut } = advance;
    let guard = |change: Change<String>| match change {
        Change::Url(target) => {
            let (base, url) = (&settled.base.url, &settled.request.url);
            let allowed = host::guard(base, &cx.blueprint().requests.hosts, url, &target);
            allowed.map(Change::Url).map_err(|denied| fail(denied.to_string()))
        }
        Change::Set(target, value) => Ok(Change::Set(target, value)),
    };
    let next = next.map(|changes| changes.into_iter().map(guard).collect::<Result<_, _>>());
    Ok(Following { next: next.transpose()?, cut })
}

/// What the execution came to.
fn finish(here: &Execution<'_>, settled: Settled, read: PagesRead) -> Result<StepResult, Failure> {
    let Execution { step, plan, scope, .. } = here;
    let PagesRead { items, next, cut } = read;
    let mut result = StepResult {
        status: settled.status,
        headers: settled.headers,
        body: settled.body,
        items: None,
        next,
        cut,
        output: StepOutput::Implied,
        held: settled.held,
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        model::{
            failure::Code,
            http::{Request, Response},
        },
        run::rehearsal::{Rehearsal, answer},
        wire::Error,
    };

    const LINKS: &str =
        "paginate: {kind: next_url, next: '{{opt body.next}}', items: '{{body.rows}}'}\n";

    /// Pages of two rows; the last one is `last`.
    fn pages(last: u32) -> impl FnMut(&Request) -> Result<Response, Error> + Send {
        move |request| {
            let page: u32 = request.url.query_pairs().next().map_or(1, |(_, n)| n.parse().unwrap());
            let mut body = json!({"rows": [page * 10, page * 10 + 1]});
            if page < last {
                body["next"] = format!("https://acme.test/a?page={}", page + 1).into();
            }
            Ok(answer(200, &[], &body))
        }
    }

    fn stage(paginate: &str, output: &str) -> Rehearsal {
        let action =
            format!("steps: [{{id: a, get: /a, paginate: {paginate}}}]\noutput: {output}\n");
        Rehearsal::new(LINKS, &action, pages(3))
    }

    #[test]
    fn all_pages_are_one_list_and_a_list_that_was_cut_says_so() {
        let whole = stage("true", "'{{steps.a.items}}'").run("run_1", json!({}));
        assert!(whole.cut().is_none());
        assert_eq!(whole.output.unwrap(), json!([10, 11, 20, 21, 30, 31]));
        let cut = stage("{max_items: 3}", "'{{steps.a.items}}'").run("run_1", json!({}));
        assert!(cut.cut().is_some());
        assert_eq!(cut.output.unwrap(), json!([10, 11, 20]));
    }

    #[test]
    fn a_token_goes_on_where_the_page_ended_and_is_taken_unchanged_only() {
        let output = "{rows: '{{steps.a.items}}', next: '{{opt steps.a.next}}'}";
        let stage = stage("{pages: one, from: '{{opt input.from}}'}", output);
        let mut from = Value::Null;
        let mut rows = Vec::new();
        for round in 0..3 {
            let input = if from.is_null() { json!({}) } else { json!({"from": from}) };
            let output = stage.run(&format!("run_{round}"), input).output.unwrap();
            rows.extend(output["rows"].as_array().unwrap().clone());
            from = output.get("next").cloned().unwrap_or_default();
        }
        assert_eq!(rows, [10, 11, 20, 21, 30, 31]);
        assert!(from.is_null(), "there is no fourth page");
        let refused = stage.run("run_x", json!({"from": "bm90IG91cnM"})).output.unwrap_err();
        assert_eq!((refused.code, refused.step.as_deref()), (Code::InvalidInput, Some("a")));
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_not_followed() {
        let action = "steps: [{id: a, get: /a, paginate: true}]\noutput: '{{steps.a.items}}'\n";
        let mut asked = 0;
        let stage = Rehearsal::new(LINKS, action, move |_| {
            asked += 1;
            assert_eq!(asked, 1);
            Ok(answer(200, &[], &json!({"rows": [1], "next": "https://evil.test/a"})))
        });
        let failure = stage.run("run_1", json!({})).output.unwrap_err();
        assert_eq!((failure.code, failure.status), (Code::ProviderError, Some(200)));
        assert_eq!(failure.step.as_deref(), Some("a"));
        assert!(failure.message.contains("https://evil.test"), "{}", failure.message);
    }
}
