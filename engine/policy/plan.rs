//! What of each answer is read by anything: the rest is never turned into values. It follows from
//! the templates of an action and its blueprint alone, and is made once for all runs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    model::{
        action::{Action, Body, Each, Step},
        blueprint::Blueprint,
        http::{is_idempotent, is_safe},
        pagination::Pagination,
        rule::{Match, Pattern, Rule, Source, Wait, When},
    },
    template::{
        self, Fault, Owned, Scope,
        demand::{Demand, Demands},
    },
};

/// An action with what its runs would otherwise find out anew each time.
#[derive(Debug)]
pub struct PreparedAction {
    /// As its file says.
    pub action: Action,
    /// One a step, in order.
    steps: Vec<StepPlan>,
    /// Of the action's output.
    output: Owned,
}

impl PreparedAction {
    /// Reads all templates of an action and its blueprint once.
    pub fn new(action: Action, blueprint: &Blueprint) -> Self {
        let mut reads = Demands::new();
        for step in &action.steps {
            step_reads(&mut reads, step);
        }
        reads.shape(&action.output);
        // Items that failed are shown whole.
        for step in &action.steps {
            if let Some(each) = &step.each
                && ["errors", "results"]
                    .iter()
                    .any(|name| !reads.of(&["steps", &step.id, name]).is_kind())
            {
                reads.template(&each.list);
            }
        }
        let steps = action.steps.iter().map(|step| plan(step, blueprint, &reads)).collect();
        let output = Owned::new(&action.output, "steps");
        Self { action, steps, output }
    }

    /// The steps and what is read of each.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &StepPlan)> {
        self.action.steps.iter().zip(&self.steps)
    }

    /// Whether all of its writes carry a key by which the API knows them again when the same call
    /// is made again.
    pub fn repeats_with_keys(&self, blueprint: &Blueprint) -> bool {
        let header = blueprint.idempotency_header.as_ref();
        let keyed = |step: &Step| {
            let given = step.headers.iter().find(|(name, _)| Some(name) == header);
            match given {
                Some((_, template)) => template::is_constant(template),
                None => header.is_some() && !is_idempotent(&step.method),
            }
        };
        self.action.steps.iter().all(|step| is_safe(&step.method) || keyed(step))
    }

    /// The action's output; `steps` is the root of that name, `scope` has all the others.
    pub fn output(&self, steps: Value, scope: &Scope<'_>) -> Result<Option<Value>, Fault> {
        self.output.evaluate(&self.action.output, steps, scope)
    }
}

/// What the templates of a run read of one step.
#[derive(Debug)]
pub struct StepPlan {
    /// Of the body of a successful answer.
    pub body: Demand,
    /// Whether the step comes to nothing without a body; rules alone do without one.
    pub needs_body: bool,
    /// Whether any template reads `headers`.
    pub headers: bool,
    /// Members of the step's record that are read: `body`, `items`, `results` …
    pub record: Demand,
    /// For the step's `output:` over its items, if nothing else reads them.
    pub output: Option<Owned>,
}

impl StepPlan {
    /// Everything is read.
    pub fn everything() -> Self {
        Self {
            body: Demand::All,
            needs_body: true,
            headers: true,
            record: Demand::All,
            output: None,
        }
    }

    /// Whether anything reads this member of the step's record.
    pub fn wants(&self, member: &str) -> bool {
        match &self.record {
            Demand::All => true,
            Demand::Members(members) => members.contains_key(member),
        }
    }
}

/// Whether the blueprint's rules look at the bodies of good answers.
pub fn rules_look(blueprint: &Blueprint) -> bool {
    let mut reads = Demands::new();
    blueprint.rules.iter().for_each(|rule| rule_reads(&mut reads, rule));
    let patterns = blueprint.rules.iter().any(|rule| pattern(rule).is_some());
    patterns || reads.of(&["body"]) != Demand::kind()
}

/// The steps whose answers decide whether a step is executed, and for which elements.
pub fn decided_by(step: &Step) -> Vec<String> {
    let mut reads = Demands::new();
    step.condition.iter().for_each(|condition| reads.template(condition));
    step.each.iter().for_each(|each| reads.template(&each.list));
    steps_read(&reads)
}

/// The steps whose answers go into the requests of a step.
pub fn made_of(step: &Step) -> Vec<String> {
    let mut reads = Demands::new();
    request_reads(&mut reads, step);
    steps_read(&reads)
}

fn steps_read(reads: &Demands) -> Vec<String> {
    match reads.of(&["steps"]) {
        Demand::All => Vec::new(),
        Demand::Members(steps) => steps.into_keys().collect(),
    }
}

/// Notes what the templates of a step read of the roots around it.
fn step_reads(reads: &mut Demands, step: &Step) {
    if let Some(condition) = &step.condition {
        reads.template(condition);
    }
    if let Some(each) = &step.each {
        bind(reads, each);
    }
    request_reads(reads, step);
    if let Some(output) = &step.output {
        reads.shape(output);
    }
}

fn request_reads(reads: &mut Demands, step: &Step) {
    reads.template(&step.path);
    step.query.iter().for_each(|(_, shape)| reads.shape(shape));
    step.headers.iter().for_each(|(_, template)| reads.template(template));
    match &step.body {
        Body::Empty => {}
        Body::Json(shape) | Body::Form(shape) => reads.shape(shape),
        Body::Text(template) | Body::Bytes(template) => reads.template(template),
    }
    if let Some(from) = step.paginate.as_ref().and_then(|p| p.from.as_ref()) {
        reads.template(from);
    }
}

/// The `as` name stands for an element of the list, if the list is a plain path.
fn bind(reads: &mut Demands, each: &Each) {
    match each.list.path() {
        Some(path) => reads.bind(&each.name, &path.names()),
        None => reads.template(&each.list),
    }
}

fn plan(step: &Step, blueprint: &Blueprint, reads: &Demands) -> StepPlan {
    let mut own = Demands::new();
    if let Some(output) = &step.output {
        own.shape(output);
    }
    let read_by_output = !own.of(&["body"]).is_kind();
    rules(step, blueprint).for_each(|rule| rule_reads(&mut own, rule));
    blueprint.error_message.iter().for_each(|template| own.template(template));
    blueprint.error_detail.iter().for_each(|shape| own.shape(shape));
    let record = reads.of(&["steps", &step.id]);
    let alone = step.paginate.is_some()
        && own.of(&["last"]).is_kind()
        && (step.each.is_some() || reads.of(&["steps", &step.id, "items"]).is_kind());
    let output = step.output.as_ref().filter(|_| alone).map(|shape| Owned::new(shape, "items"));
    let of = |member: &str| reads.of(&["steps", &step.id, member]);
    let mut body = own.of(&["body"]).or(of("body"));
    let rules = rules(step, blueprint).filter_map(pattern);
    body = rules.fold(body, |body, pattern| body.or(pattern_demand(pattern)));
    let mut items = own.of(&["items"]).or(own.of(&["last"])).or(of("items"));
    // Without `output`, what a step yields is its items or its body.
    let yields = of("output").or(of("outputs")).or(of("results"));
    let implied = step.output.is_none() && !yields.is_kind();
    let needs_body = read_by_output
        || implied
        || step.paginate.is_some()
        || !reads.of(&["steps", &step.id, "body"]).is_kind();
    if let Some(paginate) = &step.paginate {
        let pagination = &paginate.pagination;
        let mut paging = Demands::new();
        pagination_reads(&mut paging, pagination);
        body = body.or(paging.of(&["body"]));
        items = items.or(paging.of(&["items"])).or(paging.of(&["last"]));
        if implied {
            items = Demand::All;
        }
        body = body.or(below(pagination, items));
        if own_headers(&paging) {
            return StepPlan { body, needs_body, headers: true, record, output };
        }
    } else if implied {
        body = Demand::All;
    }
    let headers = own_headers(&own) || !of("headers").is_kind();
    StepPlan { body, needs_body, headers, record, output }
}

fn rules<'a>(step: &'a Step, blueprint: &'a Blueprint) -> impl Iterator<Item = &'a Rule> {
    step.rules.iter().chain(blueprint.rules.iter().map(|rule| &**rule))
}

fn own_headers(reads: &Demands) -> bool {
    !reads.of(&["headers"]).is_kind()
}

/// The demand on the items, seen from the body.
fn below(pagination: &Pagination, items: Demand) -> Demand {
    let Some(template) = &pagination.items else { return items };
    match template.path() {
        Some(path) if path.root == "body" => {
            let names = path.segments.iter().rev();
            names.fold(items, |demand, name| {
                Demand::Members(BTreeMap::from([(name.clone(), demand)]))
            })
        }
        Some(_) | None => {
            let mut reads = Demands::new();
            reads.template(template);
            reads.of(&["body"])
        }
    }
}

fn pagination_reads(reads: &mut Demands, pagination: &Pagination) {
    if let Some(more) = &pagination.more {
        reads.template(more);
    }
    for template in pagination.kind.reads() {
        reads.template(template);
    }
}

fn rule_reads(reads: &mut Demands, rule: &Rule) {
    if let When::Expr(template) = &rule.when {
        reads.template(template);
    }
    rule.message.iter().for_each(|template| reads.template(template));
    rule.value.iter().for_each(|shape| reads.shape(shape));
    for wait in &rule.wait {
        if let Wait::At(locator) = wait
            && let Source::Body(template) = &locator.from
        {
            reads.template(template);
        }
    }
}

fn pattern(rule: &Rule) -> Option<&Pattern> {
    match &rule.when {
        When::Match(Match { body, .. }) => body.as_ref(),
        When::Expr(_) => None,
    }
}

/// What a pattern looks at.
fn pattern_demand(pattern: &Pattern) -> Demand {
    match pattern {
        Pattern::Keys(members) => Demand::Members(
            members.iter().map(|(name, pattern)| (name.clone(), pattern_demand(pattern))).collect(),
        ),
        Pattern::Any(list) | Pattern::All(list) => {
            list.iter().map(pattern_demand).fold(Demand::kind(), Demand::or)
        }
        Pattern::Not(pattern) => pattern_demand(pattern),
        Pattern::Is(value) if !value.is_object() && !value.is_array() => Demand::kind(),
        Pattern::Is(_) => Demand::All,
        Pattern::Regex(_) | Pattern::Exists(_) | Pattern::Gte(_) | Pattern::Lt(_) => Demand::kind(),
    }
}
