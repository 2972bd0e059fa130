//! One step: once, or for each item of a list.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Map, Value};

use crate::{
    model::{
        action::{Each, OnError, Step},
        failure::{Code, Failure},
        pagination::Cut,
    },
    policy::plan::StepPlan,
    run::{
        context::{Context, Execution},
        expand,
        pages::{self, ItemOutput, StepRecord, StepResult},
    },
};

/// What an item came to.
type ItemResult = Result<ItemOutput, Failure>;

/// Runs a step; the value is what `steps.<id>` holds afterwards.
pub async fn run(
    cx: &Context<'_>,
    step: &Step,
    plan: &StepPlan,
    steps: &Value,
) -> Result<StepRecord, Failure> {
    let here = Execution { cx, step, plan, scope: cx.roots.action(cx.now(), steps), item: None };
    if !expand::is_wanted(step, &here.scope).map_err(|f| here.fault(&f))? {
        return Ok(StepRecord { value: Value::Object(Map::new()), held: cx.bounds.nothing() });
    }
    match &step.each {
        None => Ok(pages::run(&here).await?.into_record(plan)),
        Some(each) => fan_out(&here, each).await,
    }
}

/// Runs a step for each item, a few at a time; results keep the order of the items.
async fn fan_out(here: &Execution<'_>, each: &Each) -> Result<StepRecord, Failure> {
    let items = expand::items(here.step, each, &here.scope).map_err(|f| here.fault(&f))?;
    let results = gather(here, each, &items).await?;
    let failed = results.iter().filter(|result| result.is_err()).count();
    here.cx.failed.fetch_add(failed as u64, Ordering::Relaxed);
    if each.on_error == OnError::Skip && results.iter().any(Result::is_err) {
        let kept = items.iter().cloned().zip(results).filter(|(_, result)| result.is_ok());
        let (items, results): (Vec<Value>, Vec<ItemResult>) = kept.unzip();
        return Ok(record(here, &items, results));
    }
    Ok(record(here, &items, results))
}

/// The outcomes of all items, in their order; `None` for items that were not begun.
async fn gather(
    here: &Execution<'_>,
    each: &Each,
    items: &[Value],
) -> Result<Vec<ItemResult>, Failure> {
    let total = Some(items.len() as u64);
    let indices: Vec<Value> = (0..items.len()).map(Value::from).collect();
    let mut waiting = items.iter().zip(&indices).enumerate();
    let mut running = FuturesUnordered::new();
    let mut results: Vec<Option<ItemResult>> = items.iter().map(|_| None).collect();
    let mut fatal: Option<Failure> = None;
    let mut done = 0;
    loop {
        while fatal.is_none() && running.len() < each.concurrency {
            let Some((position, (item, index))) = waiting.next() else { break };
            let scope = here.scope.clone().with(each.name.as_str(), item).with("index", index);
            let here = Execution { scope, item: Some(position as u64), ..*here };
            running.push(async move { (position, element(&here).await) });
        }
        let Some((position, result)) = running.next().await else { break };
        done += 1;
        here.cx.observer.progress(&here.step.id, done, total);
        // The first failure that ends the step; requests under way still finish, because one that
        // was sent cannot be unsent.
        if let Err(failure) = &result
            && fatal.is_none()
            && (each.on_error == OnError::Fail || always_stops(failure.code))
        {
            fatal = Some(failure.clone());
        }
        if let Some(slot) = results.get_mut(position) {
            *slot = Some(result);
        }
    }
    match fatal {
        Some(failure) => Err(failure),
        None => Ok(results.into_iter().flatten().collect()),
    }
}

/// Executes a step for one item. Its failure says what it has written.
async fn element(here: &Execution<'_>) -> ItemResult {
    let journal = &here.cx.recorder.journal;
    let item = here.item.unwrap_or_default();
    journal.writes(|writes| writes.begin(item));
    let result = pages::run(here).await;
    let written = journal.writes(|writes| writes.end(item));
    result.map(StepResult::into_output).map_err(|failure| written.told(failure))
}

/// These concern every item alike: going on would only repeat them.
fn always_stops(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthorized | Code::Template | Code::Limit | Code::Cancelled | Code::Internal
    )
}

/// `{results, outputs, errors}`, as far as anything reads them, and whether a list was cut.
fn record(here: &Execution<'_>, items: &[Value], results: Vec<ItemResult>) -> StepRecord {
    let plan = here.plan;
    let mut map = Map::new();
    if plan.wants("errors") {
        map.insert("errors".to_owned(), errors(items, &results));
    }
    let cut = results.iter().flatten().find_map(|item| item.cut);
    mark(&mut map, cut, |name| plan.wants(name));
    let (pairs, outputs) = (plan.wants("results"), plan.wants("outputs"));
    if pairs && outputs {
        let outputs = results.iter().flatten().filter_map(|item| item.output.clone()).collect();
        map.insert("outputs".to_owned(), outputs);
    }
    // Outputs may be large: they are moved.
    let mut held = here.cx.bounds.nothing();
    let mut list = Vec::new();
    for (item, result) in items.iter().zip(results) {
        let mut pair = Map::new();
        match result {
            Ok(ItemOutput { output, cut, held: part }) => {
                held.join(part);
                if !pairs {
                    list.extend(output.filter(|_| outputs));
                    continue;
                }
                pair.insert("item".to_owned(), item.clone());
                if let Some(output) = output {
                    pair.insert("output".to_owned(), output);
                }
                if cut.is_some() {
                    mark(&mut pair, cut, |_| true);
                }
            }
            Err(_) if !pairs => continue,
            Err(failure) => {
                pair.insert("item".to_owned(), item.clone());
                pair.insert("error".to_owned(), failure.to_json());
            }
        }
        list.push(Value::Object(pair));
    }
    if pairs || outputs {
        let name = if pairs { "results" } else { "outputs" };
        map.insert(name.to_owned(), list.into());
    }
    StepRecord { value: Value::Object(map), held }
}

/// Says whether a list was cut, and why.
fn mark(map: &mut Map<String, Value>, cut: Option<Cut>, wanted: impl Fn(&str) -> bool) {
    if wanted("truncated") {
        map.insert("truncated".to_owned(), cut.is_some().into());
    }
    if let Some(cut) = cut.filter(|_| wanted("truncated_by")) {
        map.insert("truncated_by".to_owned(), cut.as_str().into());
    }
}

fn errors(items: &[Value], results: &[ItemResult]) -> Value {
    let failed = items.iter().zip(results).enumerate().filter_map(|(index, (item, result))| {
        let failure = result.as_ref().err()?;
        let mut entry = Map::new();
        entry.insert("index".to_owned(), index.into());
        entry.insert("item".to_owned(), item.clone());
        entry.insert("error".to_owned(), failure.to_json());
        Some(Value::Object(entry))
    });
    failed.collect()
}
