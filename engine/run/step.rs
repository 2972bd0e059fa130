//! One step: once, or for each item of a list.

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Map, Value};

use crate::{
    model::{
        action::{Each, OnError, Step},
        failure::{Code, Failure},
    },
    policy::plan::StepPlan,
    run::{
        context::{Context, Execution},
        expand,
        pages::{self, StepResult},
    },
};

/// What an item came to; an `output:` may come to nothing.
type ItemResult = Result<Option<Value>, Failure>;

/// Runs a step; the value is what `steps.<id>` holds afterwards.
pub async fn run(
    cx: &Context<'_>,
    step: &Step,
    plan: &StepPlan,
    steps: &Value,
) -> Result<Value, Failure> {
    let here = Execution { cx, step, plan, scope: cx.roots.action(cx.now(), steps), item: None };
    if !expand::is_wanted(step, &here.scope).map_err(|f| here.fault(&f))? {
        return Ok(Value::Object(Map::new()));
    }
    match &step.each {
        None => Ok(pages::run(&here).await?.into_record(plan)),
        Some(each) => fan_out(&here, each).await,
    }
}

/// Runs a step for each item, a few at a time; results keep the order of the items.
async fn fan_out(here: &Execution<'_>, each: &Each) -> Result<Value, Failure> {
    let items = expand::items(here.step, each, &here.scope).map_err(|f| here.fault(&f))?;
    let results = gather(here, each, &items).await?;
    if each.on_error == OnError::Skip && results.iter().any(Result::is_err) {
        let kept = items.iter().cloned().zip(results).filter(|(_, result)| result.is_ok());
        let (items, results): (Vec<Value>, Vec<ItemResult>) = kept.unzip();
        return Ok(record(here.plan, &items, results));
    }
    Ok(record(here.plan, &items, results))
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
            running.push(async move {
                let once = pages::run(&here).await;
                (position, once.map(StepResult::into_output))
            });
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

/// These concern every item alike: going on would only repeat them.
fn always_stops(code: Code) -> bool {
    matches!(code, Code::Unauthorized | Code::Template | Code::Cancelled | Code::Internal)
}

/// `{results, outputs, errors}`, as far as anything reads them.
fn record(plan: &StepPlan, items: &[Value], results: Vec<ItemResult>) -> Value {
    let mut map = Map::new();
    if plan.wants("errors") {
        map.insert("errors".to_owned(), errors(items, &results));
    }
    let (pairs, outputs) = (plan.wants("results"), plan.wants("outputs"));
    if !pairs {
        if outputs {
            map.insert("outputs".to_owned(), results.into_iter().flatten().flatten().collect());
        }
        return Value::Object(map);
    }
    if outputs {
        let outputs = results.iter().flatten().flatten().cloned().collect();
        map.insert("outputs".to_owned(), outputs);
    }
    // Outputs may be large: they are moved.
    let pairs = items.iter().zip(results).map(|(item, result)| {
        let mut pair = Map::with_capacity(2);
        pair.insert("item".to_owned(), item.clone());
        match result {
            Ok(Some(output)) => pair.insert("output".to_owned(), output),
            Ok(None) => None,
            Err(failure) => pair.insert("error".to_owned(), failure.to_json()),
        };
        Value::Object(pair)
    });
    map.insert("results".to_owned(), pairs.collect());
    Value::Object(map)
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
