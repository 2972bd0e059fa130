//! One request until an outcome stands: wait our turn, ask, decide.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::select;

use crate::{
    auth::{self, OpenCredentials},
    model::{
        failure::{Code, Failure},
        http::{is_idempotent, is_safe},
        name::ActionName,
        time::format_span,
    },
    policy::{
        plan::StepPlan,
        retry::{self, Decision, Event, Renewal, Resend, Situation},
    },
    run::{
        arrival::Reading,
        context::Context,
        course::Course,
        exchange::{Ask, Exchange, Exchanged, Settled, Tried},
        fault,
        gate::{self, Asked, Gate, Pass},
        host::Asking,
        prepared::{Prepared, Recipe},
        writes::Turn,
    },
};

/// What is known of the tries so far.
struct Tries {
    course: Course,
    /// The limits of the request as it is to be sent now.
    gate: Arc<Gate>,
    attempt: u32,
    /// How many were refused for their credentials.
    refused: u32,
    /// How many were made again because the token was new, since it is the one that it is.
    too_soon: usize,
    /// Whether the latest was sent with a token that was issued a moment ago.
    new_token: bool,
    refreshed: bool,
    /// When it was first sent.
    begun: Option<Duration>,
    /// Whether one of them may have been carried out.
    unknown: bool,
}

/// Tries until the answer is accepted or there is no point in going on.
pub async fn settle(cx: &Context<'_>, ask: &Ask<'_>) -> Result<Settled, Failure> {
    let in_step = |failure: Failure| Failure { step: Some(ask.name.to_owned()), ..failure };
    let mut tries = Tries::new(cx, ask).map_err(in_step)?;
    loop {
        // On the heap: else everything around it, each item of an `each` too, is as large as it.
        let (tried, held) = match Box::pin(once(cx, ask, &mut tries)).await.map_err(in_step)? {
            Once::Settled(settled) => return Ok(*settled),
            Once::Moved => continue,
            Once::Tried(tried, held) => (tried, held),
        };
        let gate = Arc::clone(&tries.gate);
        let reopened = gate.host().reopened();
        tries.unknown |= matches!(tried.event, Event::Unknown | Event::Transient(_));
        tries.new_token = held.as_ref().is_some_and(|held| held.is_new(cx.now()));
        let situation = situation(cx, ask, &tries, tried.event);
        tries.refused += u32::from(tried.event == Event::Refresh);
        if let Event::Rejected(None) = tried.event {
            // The API did not say how long: others would be rejected, too.
            gate.close(cx, retry::back_off(&cx.retry, tries.attempt, situation.jitter)).await;
        }
        match (retry::decide(&cx.retry, &situation), held) {
            (Decision::Renew, Some(held)) => {
                tries.refreshed = true;
                tries.too_soon = 0;
                cx.account().renew(&held).await.map_err(in_step)?;
                if situation.resend == Resend::Impossible {
                    let mut failure = Box::pin(end(cx, ask, *tried)).await;
                    failure.maybe_executed |= situation.maybe_executed;
                    return Err(in_step(failure));
                }
            }
            (Decision::Renew, None) => {}
            (Decision::Again { wait, reason }, _) => {
                tracing::debug!(step = ask.name, attempt = tries.attempt, ?wait, reason, "again");
                tries.too_soon += usize::from(tried.event == Event::Refresh);
                if retry::is_failure(tried.event) {
                    gate.host().repeat(cx.services.clock.boot());
                }
                let pause = pin!(cx.pause(wait, reason));
                if let Event::Closed(_) = tried.event {
                    // Whoever tries meanwhile may find that the host is back.
                    select(pause, pin!(reopened)).await;
                } else {
                    pause.await;
                }
            }
            (Decision::Settle { maybe_executed, retry_after, reason }, _) => {
                tracing::debug!(step = ask.name, attempt = tries.attempt, reason, "given up");
                let mut failure = Box::pin(end(cx, ask, *tried)).await;
                failure.maybe_executed |= maybe_executed;
                failure.retry_at = retry_after.map(|wait| cx.now().plus(wait));
                return Err(in_step(failure));
            }
        }
        tries.attempt += 1;
    }
}

impl Tries {
    fn new(cx: &Context<'_>, ask: &Ask<'_>) -> Result<Self, Failure> {
        let course = Course::new(Prepared::new(cx, recipe(ask), None)?);
        Ok(Self {
            gate: gate(cx, ask, &course)?,
            course,
            attempt: 1,
            refused: 0,
            too_soon: 0,
            new_token: false,
            refreshed: false,
            begun: None,
            unknown: false,
        })
    }

    /// Makes the request again, of the connection as it came with these credentials.
    fn remake(
        &mut self,
        cx: &Context<'_>,
        ask: &Ask<'_>,
        held: &OpenCredentials,
    ) -> Result<(), Failure> {
        self.course = Course::new(Prepared::new(cx, recipe(ask), Some(held))?);
        self.gate = gate(cx, ask, &self.course)?;
        Ok(())
    }
}

fn recipe<'a>(ask: &Ask<'a>) -> Recipe<'a> {
    Recipe { render: ask.render, scope: ask.scope }
}

/// What came of one try.
enum Once {
    Settled(Box<Settled>),
    /// It goes on elsewhere.
    Moved,
    /// With the credentials that it was sent with.
    Tried(Box<Tried>, Option<Arc<OpenCredentials>>),
}

async fn once(cx: &Context<'_>, ask: &Ask<'_>, tries: &mut Tries) -> Result<Once, Failure> {
    let Admitted { pass, held, asking } = match admit(cx, tries).await? {
        Admission::In(admitted) => admitted,
        Admission::Changed(held) => {
            tries.remake(cx, ask, &held)?;
            return Ok(Once::Moved);
        }
        Admission::Closed(wait) => {
            return Ok(Once::Tried(Box::new(closed(&tries.gate, wait)), None));
        }
    };
    tries.begun.get_or_insert_with(|| cx.services.clock.elapsed());
    let Tries { course, attempt, unknown, .. } = &*tries;
    let (attempt, unknown) = (*attempt, *unknown);
    let exchange = Exchange { cx, ask, course, attempt, unknown, held: &held };
    let exchanged = exchange.run(pass).await;
    heard(cx, asking, &exchanged);
    Ok(match exchanged {
        Ok(Exchanged::Settled(settled)) => Once::Settled(settled),
        Ok(Exchanged::Moved(moved)) => {
            tries.course.follow(moved);
            tries.gate = gate(cx, ask, &tries.course)?;
            Once::Moved
        }
        Err(tried) => Once::Tried(Box::new(tried), Some(held)),
    })
}

/// The limits of a request. Those of the API are not those of a host to which it sends without
/// credentials.
fn gate(cx: &Context<'_>, ask: &Ask<'_>, course: &Course) -> Result<Arc<Gate>, Failure> {
    if course.is_bare() {
        return Ok(Arc::new(Gate::open(cx, course.rendered())));
    }
    let scope = course.asked().scope(cx.roots.blueprint(cx.now()));
    let asked = Asked { rendered: course.rendered(), base: &course.asked().base, scope };
    let gate = Gate::new(cx, &asked).map_err(|f| fault::failure(&f, ask.name))?;
    Ok(Arc::new(gate))
}

/// Whether a request may be sent.
enum Admission {
    In(Admitted),
    /// The connection is another one than the request was made of: it came with these credentials.
    Changed(Arc<OpenCredentials>),
    /// Its host failed too often: not for so long.
    Closed(Duration),
}

/// What a request needs that is sent now.
struct Admitted {
    pass: Pass,
    held: Arc<OpenCredentials>,
    asking: Asking,
}

/// A place in all buckets, in use, and credentials. Places do not last while credentials are
/// refreshed; then others are taken.
async fn admit(cx: &Context<'_>, tries: &Tries) -> Result<Admission, Failure> {
    let Tries { gate, course, attempt, .. } = tries;
    let (clock, circuit) = (&cx.services.clock, cx.blueprint().circuit);
    if let Some(wait) = gate.host().is_closed_for(circuit, clock.boot()) {
        return Ok(Admission::Closed(wait));
    }
    cx.bounds.request()?;
    loop {
        let mut pass = gate::pass(cx, gate).await?;
        let held = cx.account().current().await?;
        if !course.is_bare() && !course.asked().is_of(cx, &held) {
            return Ok(Admission::Changed(held));
        }
        let asking = match gate.host().enter(circuit, clock.boot()) {
            Ok(asking) => asking,
            Err(wait) => return Ok(Admission::Closed(wait)),
        };
        cx.claimed()?;
        if pass.start(cx.progress, clock.boot()) {
            if *attempt == 1 {
                asking.count(clock.boot());
            }
            return Ok(Admission::In(Admitted { pass, held, asking }));
        }
    }
}

/// Nothing is sent to a host that failed too often.
fn closed(gate: &Gate, wait: Duration) -> Tried {
    let message = format!(
        "so many requests to `{}` failed in a row that none is sent for another {}",
        gate.host().name(),
        format_span(Duration::from_secs(wait.as_secs() + 1))
    );
    let failure = Failure::new(Code::CircuitOpen, message)
        .with_hint("`engine logs` shows how they failed; `circuit` of the blueprint sets when");
    Tried { event: Event::Closed(wait), failure }
}

/// What an exchange says of the host.
fn heard(cx: &Context<'_>, asking: Asking, exchanged: &Result<Exchanged, Tried>) {
    match exchanged.as_ref().map_err(|tried| (tried.event, tried.failure.status)) {
        Ok(_) | Err((Event::Rejected(_) | Event::Refresh | Event::Final, Some(_))) => {
            asking.succeeded();
        }
        Err((Event::NotSent | Event::Unknown | Event::Transient(_), _)) => {
            asking.failed(cx.blueprint().circuit, cx.services.clock.boot());
        }
        // Nothing came back that says anything of it.
        Err((Event::Rejected(_) | Event::Refresh | Event::Final | Event::Closed(_), _)) => {}
    }
}

fn situation(cx: &Context<'_>, ask: &Ask<'_>, tries: &Tries, event: Event) -> Situation {
    let method = &tries.course.rendered().request.method;
    let by_key = cx.blueprint().idempotency_header.is_some();
    let by_nature = is_idempotent(method) || by_key;
    // What the step says is of what it asks for, and not of where the answer to that is.
    let stated = ask.idempotent.filter(|_| method == ask.method);
    let clock = &cx.services.clock;
    Situation {
        // One that was refused for its credentials was no try of the request itself.
        attempt: tries.attempt - tries.refused,
        event,
        idempotent: stated.unwrap_or(by_nature),
        resend: if tries.course.rendered().request.body.can_be_sent() {
            Resend::Possible
        } else {
            Resend::Impossible
        },
        maybe_executed: tries.unknown && !is_safe(method),
        too_soon: tries.new_token.then_some(tries.too_soon),
        renewal: match cx.account().can_renew() {
            _ if tries.refreshed => Renewal::Done,
            true => Renewal::Possible,
            false => Renewal::Impossible,
        },
        elapsed: tries.begun.map_or(Duration::ZERO, |begun| clock.elapsed().saturating_sub(begun)),
        spared: tries.gate.host().spares(&cx.retry, clock.boot()),
        jitter: cx.services.limiter.jitter(),
    }
}

/// Whether the API refuses the connection as a whole, and not just one call of it: what `verify`
/// asks is refused as well. Asked only where a person can sign in again.
async fn is_over(cx: &Context<'_>, ask: &Ask<'_>) -> bool {
    let Some(verify) = cx.blueprint().verify.as_ref().filter(|_| cx.account().has_person()) else {
        return false;
    };
    if cx.name == ActionName::connect() && ask.name == verify.id {
        return true;
    }
    let scope = cx.roots.before_steps(cx.now());
    let plan = StepPlan::everything();
    let ask = Ask {
        name: &verify.id,
        method: &verify.method,
        render: &|renderer| renderer.step(verify, &[], String::new),
        turn: Turn { item: None, page: 1 },
        rules: &verify.rules,
        idempotent: None,
        reading: Reading::Whole { accept: verify.accept, demand: &plan.body, needed: false },
        scope: &scope,
    };
    let Ok(mut tries) = Tries::new(cx, &ask) else { return false };
    let Ok(mut asked) = once(cx, &ask, &mut tries).await else { return false };
    if let Once::Moved = asked {
        // Made again, of the connection that the renewal left.
        let Ok(again) = once(cx, &ask, &mut tries).await else { return false };
        asked = again;
    }
    matches!(asked, Once::Tried(tried, _) if tried.event == Event::Refresh)
}

/// The failure that the last try leaves.
async fn end(cx: &Context<'_>, ask: &Ask<'_>, tried: Tried) -> Failure {
    let Tried { event, mut failure } = tried;
    match event {
        // One call may be refused for a right that it lacks: a connection ends by proof.
        Event::Refresh => {
            failure.code = Code::Unauthorized;
            if is_over(cx, ask).await {
                cx.account().reject(&failure.message).await;
                let invocation = cx.invocation;
                let (name, id) = (&invocation.integration.name, &invocation.connection);
                failure = failure.with_hint(auth::sign_in_again(name, id));
            }
        }
        Event::Rejected(_) => failure.code = Code::RateLimited,
        Event::NotSent | Event::Unknown | Event::Transient(_) | Event::Closed(_) | Event::Final => {
        }
    }
    failure
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use serde_json::json;

    use crate::{
        clock::Clock,
        model::{failure::Code, record::RunStatus},
        run::rehearsal::{Rehearsal, answer},
    };

    const RETRY: &str = "retry: {attempts: 3, initial: 2s, max: 10s, budget: 1m}\n";
    const ONE: &str = "steps: [{id: a, get: /a}]\noutput: '{{steps.a.body.n}}'\n";
    const EACH: &str = "steps: [{id: a, each: '{{input.ids}}', concurrency: 8, get: '/a/{{item}}'}]\noutput: '{{length steps.a.outputs}}'\n";

    #[test]
    fn each_try_is_recorded_with_what_it_meant() {
        let mut statuses = [503, 500, 200].into_iter();
        let stage = Rehearsal::new(RETRY, ONE, move |_| {
            Ok(answer(statuses.next().unwrap(), &[], &json!({"n": 5})))
        });
        let result = stage.run("run_1", json!({}));
        assert_eq!(result.output.unwrap(), 5);
        let (record, attempts) = stage.recorded("run_1").unwrap();
        assert_eq!((record.status, record.attempts), (RunStatus::Succeeded, 3));
        let seen: Vec<_> = attempts.iter().map(|a| (a.attempt, a.status, a.outcome)).collect();
        assert_eq!(seen, [(1, Some(503), "retry"), (2, Some(500), "retry"), (3, Some(200), "ok")]);
        assert!(record.waited_ms > 0);
    }

    const COLLECT: &str = "steps: [{id: a, each: '{{input.ids}}', concurrency: 4, on_error: collect, get: '/a/{{item}}'}]\noutput: '{{steps.a.errors}}'\n";

    /// A host that fails so often, and then is back; the codes of the items that failed, and how many
    /// requests it saw.
    fn failing(times: usize, blueprint: &str) -> (Vec<String>, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let stage = Rehearsal::new(blueprint, COLLECT, move |_| {
            let status = if count.fetch_add(1, Ordering::SeqCst) < times { 503 } else { 200 };
            Ok(answer(status, &[], &json!({})))
        });
        let ids: Vec<u32> = (0..40).collect();
        let errors = stage.run("run_1", json!({"ids": ids})).output.unwrap();
        let code =
            |failed: &serde_json::Value| failed["error"]["code"].as_str().unwrap().to_owned();
        let codes = errors.as_array().unwrap().iter().map(code).collect();
        (codes, asked.load(Ordering::SeqCst))
    }

    #[test]
    fn a_dead_host_is_left_alone_and_one_that_comes_back_loses_nothing() {
        let (codes, asked) = failing(usize::MAX, "");
        assert_eq!(codes.len(), 40);
        assert!(codes.iter().filter(|code| *code == "circuit_open").count() >= 36, "{codes:?}");
        assert!(asked < 20, "asked {asked} times");
        assert_eq!(failing(10, ""), (vec![], 50));
        let (codes, asked) = failing(usize::MAX, "circuit: {failures: 0}\nretry: {floor: 100/s}\n");
        assert!(codes.iter().all(|code| code == "provider_error") && asked == 200, "{asked}");
    }

    #[test]
    fn only_a_share_of_what_failed_is_repeated() {
        let quiet = "circuit: {failures: 0}\n";
        let (_, asked) = failing(usize::MAX, &format!("{quiet}retry: {{share: 0%, floor: 1/s}}\n"));
        assert_eq!(asked, 50, "ten in ten seconds");
    }

    #[test]
    fn the_budget_counts_from_the_first_try() {
        let clock = Arc::new(Mutex::new(None::<crate::suite::VirtualClock>));
        let (seen, tries) = (Arc::clone(&clock), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&tries);
        let stage =
            Rehearsal::new("retry: {attempts: 9, initial: 1s, budget: 9s}\n", ONE, move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                // Each exchange takes four seconds.
                let clock = seen.lock().unwrap().clone().unwrap();
                clock.drive(clock.sleep(Duration::from_secs(4))).unwrap();
                Ok(answer(503, &[], &json!({})))
            });
        *clock.lock().unwrap() = Some(stage.clock().clone());
        assert_eq!(stage.run("run_1", json!({})).output.unwrap_err().code, Code::ProviderError);
        assert_eq!(tries.load(Ordering::SeqCst), 2, "4 s, 1 s of waiting, 4 s");
    }

    #[test]
    fn a_run_that_gets_nothing_through_ends_and_one_that_moves_goes_on() {
        let slow = "limits: [{name: x, per: [connection], rate: 1/1m}]\n";
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let stage = Rehearsal::new(slow, EACH, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(answer(200, &[], &json!({})))
        });
        let ids: Vec<u32> = (0..8).collect();
        // Eight at a time stand in line for seven minutes, and the budget is two.
        assert_eq!(stage.run("run_1", json!({"ids": ids})).output.unwrap(), 8);
        let slow = "limits: [{name: x, per: [connection], rate: 1/3m}]\n";
        let stage = Rehearsal::new(slow, EACH, |_| Ok(answer(200, &[], &json!({}))));
        let failure = stage.run("run_1", json!({"ids": [1, 2]})).output.unwrap_err();
        assert_eq!(failure.code, Code::RateLimited);
        assert!(failure.retry_at.is_some());
    }

    #[test]
    fn two_limits_that_are_both_short_starve_nobody() {
        let both = "limits: [{name: one, per: [connection], concurrency: 2}, {name: two, per: [connection], rate: 3/10s}, {name: three, per: [connection], concurrency: 1, rate: 2/7s}]\n";
        let stage = Rehearsal::new(both, EACH, |_| Ok(answer(200, &[], &json!({}))));
        let ids: Vec<u32> = (0..30).collect();
        assert_eq!(stage.run("run_1", json!({"ids": ids})).output.unwrap(), 30);
    }

    #[test]
    fn items_at_once_keep_the_most_requests_of_the_action() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let action = format!("limits: {{requests: 3}}\n{EACH}");
        let stage = Rehearsal::new("", &action, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(answer(200, &[], &json!({})))
        });
        let failure = stage.run("run_1", json!({"ids": [1, 2, 3, 4, 5, 6]})).output.unwrap_err();
        assert_eq!(failure.code, Code::Limit);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn wherever_a_run_is_dropped_its_record_says_what_was_sent() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let stage = Rehearsal::new(
            "limits: [{name: x, per: [connection], rate: 100/1s, concurrency: 1}]\n",
            EACH,
            move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(answer(200, &[], &json!({})))
            },
        );
        for polls in 1.. {
            let id = format!("run_{polls}");
            asked.store(0, Ordering::SeqCst);
            let ended = stage.stop(&id, json!({"ids": [1, 2]}), polls);
            if let Some((record, attempts)) = stage.recorded(&id) {
                let status = if ended { RunStatus::Succeeded } else { RunStatus::Cancelled };
                assert_eq!(record.status, status, "{polls}");
                assert!(attempts.len() >= asked.load(Ordering::SeqCst), "{polls}");
                let judged = attempts.iter().filter(|attempt| attempt.status.is_some());
                assert!(judged.clone().all(|attempt| attempt.outcome == "ok"), "{polls}");
            }
            // Its places are free again.
            let next = stage.run(&format!("next_{polls}"), json!({"ids": [1]}));
            assert_eq!(next.output.unwrap(), 1);
            if ended {
                assert!(polls > 1, "it was stopped somewhere");
                return;
            }
        }
    }

    #[test]
    fn a_rejection_without_a_time_holds_up_all_requests_of_its_limit() {
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&times);
        let clock = Arc::new(Mutex::new(None));
        let now = Arc::clone(&clock);
        let blueprint = format!("{RETRY}limits: [{{name: x, per: [connection], rate: 100/1s}}]\n");
        let stage = Rehearsal::new(&blueprint, EACH, move |_| {
            let clock: &crate::suite::VirtualClock = &now.lock().unwrap().clone().unwrap();
            let mut times = noted.lock().unwrap();
            times.push(clock.elapsed());
            let status = if times.len() == 1 { 429 } else { 200 };
            Ok(answer(status, &[], &json!({})))
        });
        *clock.lock().unwrap() = Some(stage.clock().clone());
        let failed = stage.run("run_1", json!({"ids": [1]}));
        assert_eq!(failed.output.unwrap(), 1);
        let times = times.lock().unwrap();
        assert!(times[1] >= times[0] + Duration::from_secs(1), "{times:?}");
    }
}
